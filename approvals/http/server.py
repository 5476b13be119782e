"""Serves an application on sockets that listen already: loopback ports and local sockets only."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Self

from aiohttp import web

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What clients may cost."""

    # Reviewers, their tabs and scripts. Each costs a descriptor of the gateway that relays.
    connections: int = 128
    # A head that is not there by then belongs to nobody who is waiting. Also between requests.
    head_seconds: float = 15.0
    # One line of a head; browsers send some hundred bytes, and cookies of a few kB.
    line_bytes: int = 8190
    fields: int = 64
    # The end of the gateway waits for nobody's last answer longer than this.
    closing_seconds: float = 1.0


class OpenToOthers(Exception):
    """A listener that hosts other than this one could reach."""


class HttpServer:
    """Owns the listeners as long as it is entered, and ends what is open when it is left."""

    def __init__(
        self,
        app: web.Application,
        listeners: Sequence[socket.socket],
        limits: HttpLimits | None = None,
    ) -> None:
        """Raises `OpenToOthers`: a reverse proxy stands between us and other hosts."""
        self._limits = limits or HttpLimits()
        self._listeners = tuple(listeners)
        for listener in self._listeners:
            _refuse_open(listener)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=self._limits.head_seconds,
            shutdown_timeout=self._limits.closing_seconds,
            lingering_time=0.0,
            max_line_size=self._limits.line_bytes,
            max_field_size=self._limits.line_bytes,
            max_headers=self._limits.fields,
        )
        self._servers: list[asyncio.AbstractServer] = []

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            if listener.family == socket.AF_UNIX:
                made: asyncio.AbstractServer = await loop.create_unix_server(
                    self._accepted, sock=listener
                )
            else:
                made = await loop.create_server(self._accepted, sock=listener)
            self._servers.append(made)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        await self._runner.cleanup()

    def _accepted(self) -> asyncio.BaseProtocol:
        """One connection, or nothing where too many are open."""
        serving = self._runner.server
        if serving is None or len(serving.connections) >= self._limits.connections:
            return _Full()
        return serving()


class _Full(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nobody is kept waiting for a place."""
        transport.close()


def _refuse_open(listener: socket.socket) -> None:
    if listener.family == socket.AF_UNIX:
        return
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host).is_loopback:
        raise OpenToOthers(f"{host}:{port} is not an address of this host only (127.0.0.1, ::1)")
