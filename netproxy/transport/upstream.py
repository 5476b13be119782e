"""From an admitted request to a connected origin: resolve, check, dial, record (design section 4).

The address that was checked is the one that is dialled; there is no second lookup. Whoever calls
this has an allow on record already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.policy.hosts import is_address
from otel.errors import AuditUnavailable
from otel.events import ConnectionClosed, ConnectionFailed, ConnectionOpened

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from netproxy.model import CloseReason, Decision, Request
    from netproxy.transport.services import Services

_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A connection to an origin that is on record as opened; `closed` is due exactly once."""

    socket: socket.socket
    request: Request
    services: Services
    opened_at: float

    def closed(
        self, reason: CloseReason, *, sent: int, received: int, status: int | None = None
    ) -> None:
        """Record how much flowed, for how long, and why it ended."""
        where = self.request.destination
        seconds = self.services.readiness.loop.time() - self.opened_at
        self.services.note(
            ConnectionClosed(
                connection_id=self.request.connection_id,
                server_address=where.host,
                server_port=where.port,
                bytes_sent=sent,
                bytes_received=received,
                duration_ms=round(seconds * _MILLISECONDS),
                close_reason=reason.value,
                status=status,
            )
        )


async def reach(
    services: Services, request: Request
) -> Upstream | Decision | DestinationUnreachable:
    """Connect to what was asked for. A refusal and a failure are outcomes, both on record."""
    where = request.destination
    try:
        # A literal was judged as the address that it is; it is its own answer.
        addresses: Sequence[str] = (where.host,)
        if not is_address(where.host):
            found = await services.resolver.resolve(where.host)
            vetted = services.policy.vet(where, found)
            if found and not vetted.passed:
                return services.gate.refuse_addresses(request, vetted)
            addresses = vetted.passed
        connected = await services.dialer.dial(addresses, where.port)
        return _opened(services, request, connected)
    except DestinationUnreachable as problem:
        services.note(
            ConnectionFailed(
                connection_id=request.connection_id,
                server_address=where.host,
                server_port=where.port,
                error_type=problem.failure.value.proxy_status,
            )
        )
        return problem


def _opened(services: Services, request: Request, connected: socket.socket) -> Upstream | Decision:
    """Record the opening before a byte can pass; what can't be recorded does not happen."""
    where = request.destination
    try:
        event = ConnectionOpened(
            connection_id=request.connection_id,
            server_address=where.host,
            server_port=where.port,
            peer_address=_text(connected.getpeername()),
        )
    except OSError as gone:
        connected.close()
        raise DestinationUnreachable(Failure.CONNECTION_TERMINATED, str(gone)) from gone
    try:
        services.audit.record(event)
    except AuditUnavailable:
        connected.close()
        return services.gate.refuse_unrecorded(request)
    return Upstream(
        socket=connected,
        request=request,
        services=services,
        opened_at=services.readiness.loop.time(),
    )


def _text(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
