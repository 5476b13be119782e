"""From a port of this host's loopback to what the command serves inside.

The other way round than everything else: the gateway connects into the sandbox, with sockets that
were made there. Who may connect to the port is the listener's business.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from otel.events import ExposeClosed, ExposeOpened, ExposeRefused
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from netproxy.model import ConnectionId
    from netproxy.transport.linked_driver import Flow

# Servers that say "localhost" listen on either, or on both.
_PLACES: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Fills `netproxy.transport.linked_driver.Link`."""

    port: int  # of the command's loopback
    host_port: int  # of this host's
    # An unconnected TCP socket of the command's network that doesn't block. Raises `OSError`.
    take_socket: Callable[[int], Awaitable[socket.socket]]

    async def open(self) -> socket.socket:
        """Connect to whoever listens inside. Raises `OSError` if nobody does."""
        problem: OSError | None = None
        for family, host in _PLACES:
            try:
                return await self._connected(family, host)
            except OSError as failed:  # the first tells more: many hosts have no IPv6
                problem = problem or failed
        assert problem is not None, "one of the places was tried"
        raise problem

    def drop(self) -> None:
        """Nothing was taken yet."""

    async def _connected(self, family: int, host: str) -> socket.socket:
        sock = await self.take_socket(family)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, (host, self.port))
        except BaseException:
            sock.close()
            raise
        return sock

    def opened(self, connection_id: ConnectionId, client_address: str) -> ExposeOpened:
        """Bytes can flow from here on."""
        return ExposeOpened(
            connection_id=connection_id,
            client_address=client_address,
            port=self.port,
            host_port=self.host_port,
        )

    def refused(
        self, connection_id: ConnectionId, client_address: str, *, error_type: str
    ) -> ExposeRefused:
        """Nobody listens inside."""
        return ExposeRefused(
            connection_id=connection_id,
            client_address=client_address,
            port=self.port,
            host_port=self.host_port,
            error_type=error_type,
        )

    def closed(self, connection_id: ConnectionId, client_address: str, flow: Flow) -> ExposeClosed:
        """So much went to the command's service and came back."""
        return ExposeClosed(
            connection_id=connection_id,
            client_address=client_address,
            port=self.port,
            host_port=self.host_port,
            bytes_sent=flow.sent,
            bytes_received=flow.received,
            duration_ms=flow.duration_ms,
            close_reason=flow.reason.value,
        )
