"""From an admitted request to a connected origin: resolve, check, dial, record (design section 4).

The address that was checked is the one that is dialled; there is no second lookup. Whoever calls
this has an allow on record already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.connection.routes import Parent, Resolving
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.policy.hosts import is_address
from otel.errors import AuditUnavailable
from otel.events import ConnectionClosed, ConnectionFailed, ConnectionOpened, ParentUsed
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.model import ApprovalId, CloseReason, Decision, Request
    from netproxy.ports import Dialer
    from netproxy.transport.services import Services
    from netproxy.transport.sockets import Socket

_MILLISECONDS = 1000


@dataclass(slots=True)
class Passage:
    """How far a request got: what has to be judged again when the policy changes."""

    request: Request
    unrecorded: Callable[[], None]  # called if its opening turns out not to be on record
    is_asked: bool = False  # somebody is being asked, or was and said yes
    approval_id: ApprovalId | None = None  # of the yes
    addresses: tuple[str, ...] = ()  # of a name: those that are dialled, then the one that answered

    def is_open(self, services: Services) -> bool:
        """Whether the policy in force lets the request go where it goes."""
        if not services.gate.still_allows(self.request, asked=self.is_asked):
            return False
        if not self.addresses:
            return True
        return not services.policy.vet(self.request.destination, self.addresses).refused

    def overruled(self, services: Services) -> Decision:
        """Refuse it for that; nothing was opened yet."""
        gate, where = services.gate, self.request.destination
        if not gate.still_allows(self.request, asked=self.is_asked):
            return gate.overrule(self.request)
        vetted = services.policy.vet(where, self.addresses)
        # Of several, those that pass are not to be told of: the client asks again, and gets them.
        refused = services.policy.vet(where, [address for address, _ in vetted.refused])
        return gate.refuse_addresses(self.request, refused, policy_changed=True)


@dataclass(slots=True, eq=False)
class Upstream:
    """A connection to an origin that is on record; `closed` is due exactly once."""

    socket: Socket
    request: Request
    services: Services
    opened_at: float
    made_at: float  # before that, if it carried other requests first
    peer: str  # address and port at the other end
    addresses: tuple[str, ...]  # what was judged: of a name, the one that is connected
    through: tuple[Parent, str] | None  # the operator's proxy, and what it was told
    approval_id: ApprovalId | None  # that carries it
    sent: int = 0  # before it became a tunnel
    received: int = 0
    status: int | None = None
    failure: Failure | None = None  # what the client was told instead of an answer

    def closed(
        self,
        reason: CloseReason,
        *,
        sent: int,
        received: int,
        status: int | None = None,
        datagrams: tuple[int, int] | None = None,
    ) -> None:
        """Record how much flowed, for how long, and why it ended. `datagrams`: sent, received."""
        where = self.request.destination
        sent += self.sent
        received += self.received
        self.services.allowance.moved += sent + received
        if self.approval_id is not None:
            self.services.meter.ended(self.approval_id, sent + received)
        seconds = self.services.readiness.loop.time() - self.opened_at
        self.services.note(
            ConnectionClosed(
                connection_id=self.request.connection_id,
                server_address=where.host,
                server_port=where.port,
                bytes_sent=sent,
                bytes_received=received,
                duration_ms=round(seconds * _MILLISECONDS),
                close_reason=reason._value_,
                peer_address=self.peer,
                error_type=self.failure and self.failure.value.proxy_status,
                status=self.status if status is None else status,
                datagrams_sent=datagrams and datagrams[0],
                datagrams_received=datagrams and datagrams[1],
            )
        )


async def reach(
    services: Services, passage: Passage, dialer: Dialer
) -> Upstream | Decision | DestinationUnreachable:
    """Connect to what was asked for. A refusal and a failure are outcomes, both on record."""
    request = passage.request
    where = request.destination
    parent = services.ways.parent(where) if services.ways is not None else None
    try:
        # A literal was judged as the address that it is; it is its own answer.
        addresses: Sequence[str] = (where.host,)
        if not is_address(where.host) and (parent is None or parent.resolving is Resolving.HERE):
            found = await services.resolver.resolve(where.host)
            vetted = services.policy.vet(where, found)
            if found and not vetted.passed:
                return services.gate.refuse_addresses(request, vetted)
            addresses = passage.addresses = vetted.passed
        if parent is None:
            connected = await dialer.dial(where, addresses)
            return _opened(services, passage, connected)
        assert services.ways is not None, "a parent is chosen by a route"
        reached = await services.ways.dial(parent, where, addresses)
        return _opened(services, passage, reached.socket, through=(parent, reached.target))
    except DestinationUnreachable as problem:
        services.note(
            ConnectionFailed(
                connection_id=request.connection_id,
                server_address=where.host,
                server_port=where.port,
                error_type=problem.failure.value.proxy_status,
                parent_name=parent.name if parent else None,
            )
        )
        return problem


def _opened(
    services: Services,
    passage: Passage,
    connected: Socket,
    *,
    through: tuple[Parent, str] | None = None,
) -> Upstream | Decision:
    request = passage.request
    try:
        peer = connected.getpeername()
    except OSError as gone:
        connected.close()
        raise DestinationUnreachable(Failure.CONNECTION_TERMINATED, str(gone)) from gone
    if passage.addresses:
        passage.addresses = (peer[0] if through is None else through[1],)
    now = services.readiness.loop.time()
    # By position: half the time, and there is one for each tunnel.
    opened = Upstream(
        connected, request, services, now, now, _text(peer), passage.addresses, through,
        passage.approval_id,
    )  # fmt: skip
    outcome = _recorded(opened, passage.unrecorded)
    if outcome is not opened:
        connected.close()
    return outcome


def resumed(services: Services, passage: Passage, last: Upstream) -> Upstream | Decision | None:
    """Carry another request where an earlier one went.

    Nothing is opened, so nothing is on record as opened: `closed` says what the other end was. None
    if it must not be: it leads where the policy in force lets nobody go by this name, or by another
    way than the routes say. The connection is the caller's to close, then and when the answer is
    no.
    """
    where = passage.request.destination
    if last.addresses and services.policy.vet(where, last.addresses).refused:
        return None
    parent = services.ways.parent(where) if services.ways is not None else None
    if parent != (last.through[0] if last.through else None):
        return None
    passage.addresses = last.addresses
    request = passage.request
    if last.through is not None:
        try:
            services.audit.record_soon(_parent_used(request, *last.through))
        except AuditUnavailable:
            return services.gate.refuse_unrecorded(request)
    # By position: half the time, and there is one for each request.
    return Upstream(
        last.socket, request, services, services.readiness.loop.time(), last.made_at, last.peer,
        last.addresses, last.through, passage.approval_id,
    )  # fmt: skip


def _recorded(opened: Upstream, unrecorded: Callable[[], None]) -> Upstream | Decision:
    """Put the opening on record; what can't be does not happen, or is cut as soon as that shows."""
    request, services = opened.request, opened.services
    where = request.destination
    event = ConnectionOpened(
        connection_id=request.connection_id,
        server_address=where.host,
        server_port=where.port,
        peer_address=opened.peer,
    )
    try:
        if opened.through is not None:
            services.audit.record_soon(_parent_used(request, *opened.through))
        services.audit.record_soon(event, lost=unrecorded)
    except AuditUnavailable:
        return services.gate.refuse_unrecorded(request)
    return opened


def _parent_used(request: Request, parent: Parent, target: str) -> ParentUsed:
    return ParentUsed(
        connection_id=request.connection_id,
        parent_name=parent.name,
        parent_target=_text((target, request.destination.port)),
        parent_resolves=parent.resolving is Resolving.THERE and not is_address(target),
    )


def _text(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
