"""What every connection of a run needs, in one value. Made by the server, shared by its drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel.errors import AuditUnavailable
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netproxy.config import Limits
    from netproxy.connection.fake_names import FakeNames
    from netproxy.connection.gate import Gate, Vetted
    from netproxy.connection.known_requests import KnownRequests
    from netproxy.model import Destination
    from netproxy.ports import AuditSink, Dialer, Resolver
    from netproxy.protocol.known_heads import KnownHeads
    from netproxy.transport.allowance import Allowance
    from netproxy.transport.deadline import Deadline
    from netproxy.transport.metering import Meter
    from netproxy.transport.pool import Pool
    from netproxy.transport.readiness import Readiness
    from netproxy.transport.refusals import Refusals
    from netproxy.transport.relay import Means
    from netproxy.transport.udp_association import Associations
    from netproxy.transport.ways import Ways
    from otel.events import Event


class Vetter(Protocol):
    """The policy's word on resolved addresses."""

    def vet(self, destination: Destination, addresses: Sequence[str]) -> Vetted:
        """Split them into those that may be dialled and those that may not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The collaborators of one run's connections."""

    gate: Gate
    policy: Vetter
    resolver: Resolver
    dialer: Dialer
    audit: AuditSink
    limits: Limits
    readiness: Readiness
    report: Callable[[str], None]  # one line for whoever looks after the gateway
    pseudonym: str  # our name in Via: unique to this process, so that a loop is seen
    refusals: Refusals
    allowance: Allowance
    meter: Meter
    relays: Means
    pool: Pool
    known_heads: KnownHeads
    handshakes: Deadline  # of head_seconds
    lingering: Deadline  # of linger_seconds
    known_requests: KnownRequests
    ways: Ways | None = None  # out of here; None: everything leaves directly
    associations: Associations | None = None  # for UDP; None serves none
    names: FakeNames | None = None  # behind addresses that clients were given for them

    def meant(self, destination: Destination) -> Destination:
        """Return the name where an address stands for one."""
        return destination if self.names is None else self.names.meant(destination)

    def note(self, event: Event) -> None:
        """Record what has happened already: a broken journal can't undo it, only be reported."""
        try:
            self.audit.record_soon(event)
        except AuditUnavailable as lost:
            self.report(f"netproxy: {event.name} could not be recorded: {lost}")
