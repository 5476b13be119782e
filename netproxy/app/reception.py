"""The run's listeners until the first client comes, and the gateway behind them from then on.

Many a command has ended before a gateway is imported and built. A client that comes meanwhile waits
in its listener's queue and notices nothing; where no gateway can be built, nobody is let out.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Self

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from netproxy.app.file_watch import Identity
    from netproxy.app.policy_in_force import PolicyInForce
    from netproxy.app.rule_file import Load
    from netproxy.app.settings import Settings
    from netproxy.app.supervisor import Denial
    from netproxy.model import CloseReason
    from netproxy.transport.server import ProxyServer
    from otel import AuditTrail
    from sandbox.launch import Listeners
    from sandbox.token import CancellationToken

# A command that lives longer is likely to want the network soon: it shall find the gateway there.
_PATIENCE_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What identifies one run, and what its parts share."""

    settings: Settings
    load: Load  # reads all of them anew
    pinned: Mapping[Path, Identity]  # files of theirs in folders that the command can write
    policy: PolicyInForce
    digest: str  # of the policy that the run starts with
    reload_wanted: asyncio.Event
    trail: AuditTrail
    token: CancellationToken[Denial]
    session_id: str
    execution_id: str
    user: str  # who sits at the terminal, for the record
    command: str
    directory: str


class Reception:
    """Opens the gateway when it is needed, and closes it and the listeners at the end."""

    def __init__(
        self,
        listeners: Listeners,
        open_gateway: Callable[[], AbstractAsyncContextManager[ProxyServer]],
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Make it inside a running loop; `open_gateway` is called once or not at all."""
        self._loop = asyncio.get_running_loop()
        self._listeners = listeners
        captured = () if listeners.capture is None else listeners.capture.all()
        calls = () if listeners.calls is None else (listeners.calls,)
        self._sockets = (*listeners.proxies(), *captured, *calls)
        self._open_gateway = open_gateway
        self._patience_seconds = patience_seconds
        self._is_closing = asyncio.Event()
        self._server: ProxyServer | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for listener in self._sockets:
            self._loop.add_reader(listener, self._begin)
        self._timer = self._loop.call_later(self._patience_seconds, self._begin)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Raises what kept the gateway from being built."""
        self._is_closing.set()
        if self._serving is None and self._is_told_of_refused():
            self._begin()
        if self._serving is None:
            self._stop_waiting()
            self._listeners.close()
        else:
            await self._serving

    def close_all(self, reason: CloseReason) -> None:
        """Cut every connection at once."""
        if self._server is not None:
            self._server.close_all(reason)

    def _is_told_of_refused(self) -> bool:
        """What a command sends in its last moment is refused like the rest, and on record."""
        capture = self._listeners.capture
        if capture is None or capture.rejected is None:
            return False
        try:
            return bool(capture.rejected.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        except OSError:  # ENOBUFS: there were more than the kernel could keep
            return True

    def _begin(self) -> None:
        self._stop_waiting()
        self._serving = self._loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            async with self._open_gateway() as self._server:
                await self._is_closing.wait()
        finally:
            # Without a gateway a client that waits in the queue learns at once that it waits for
            # nothing.
            self._listeners.close()

    def _stop_waiting(self) -> None:
        self._timer.cancel()
        for listener in self._sockets:
            self._loop.remove_reader(listener)
