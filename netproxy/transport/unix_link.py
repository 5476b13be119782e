"""From a unix socket of the command's to one of this host's that it was given (`--unix`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.events import UnixClosed, UnixOpened
from otel.values import dataclass

if TYPE_CHECKING:
    import socket

    from netproxy.model import ConnectionId
    from netproxy.transport.linked_driver import Flow
    from otel.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixLink:
    """Fills `netproxy.transport.linked_driver.Link`: connected already, when the command asked."""

    path: str
    far: socket.socket

    async def open(self) -> socket.socket:
        """Return the connection to the host's socket."""
        return self.far

    def drop(self) -> None:
        """Hang up on the host's socket."""
        self.far.close()

    def refused(
        self, connection_id: ConnectionId, client_address: str, *, error_type: str
    ) -> Event:
        """It is connected already."""
        raise AssertionError(f"{connection_id} of {client_address}: {error_type}")

    def opened(self, connection_id: ConnectionId, client_address: str) -> Event:
        """Bytes can flow from here on."""
        del client_address  # it has none
        return UnixOpened(connection_id=connection_id, path=self.path)

    def closed(self, connection_id: ConnectionId, client_address: str, flow: Flow) -> Event:
        """So much went to the host's socket and came back."""
        del client_address
        return UnixClosed(
            connection_id=connection_id,
            path=self.path,
            bytes_sent=flow.sent,
            bytes_received=flow.received,
            duration_ms=flow.duration_ms,
            close_reason=flow.reason.value,
        )
