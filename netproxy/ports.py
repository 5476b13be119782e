"""What the proxy needs from the world, as Protocols. `netproxy.app` fills them; tests fake them.

This is how netproxy asks for an approval, records an event or cancels a run without knowing the
packages that do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel.values import dataclass

if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Sequence

    from netproxy.model import ApprovalId, Decision, Destination, Judgement, Reason, Request, Source
    from otel import AuditUnavailable
    from otel.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from asking: by whom, why, and whether a no also ends the command."""

    allowed: bool
    source: Source
    reason: Reason
    approval_id: ApprovalId | None
    message: str
    # None leaves it to the run's own setting; False is a reviewer's "deny, but let it go on".
    cancel: bool | None = None
    retry_after_seconds: int | None = None


class Approver(Protocol):
    """Asks reviewers about one request and waits; every failure is an answer, never an exception.

    Cancelling the wait (the client went away) leaves the question answerable.
    """

    async def ask(self, request: Request, judgement: Judgement) -> Answer:
        """Wait for an answer, or for the reason why there is none."""
        ...


class SessionCache(Protocol):
    """What the session already knows about a destination. Plain look-ups: the hot path."""

    def denial(self, destination: Destination) -> ApprovalId | None:
        """Return the approval that said no for the whole session."""
        ...

    def grant(self, destination: Destination) -> ApprovalId | None:
        """Return the approval that said yes for the whole session."""
        ...


class Ledger(Protocol):
    """What a remembered yes may still be used for. Only one with a budget costs anything."""

    def take(self, approval_id: ApprovalId) -> bool:
        """Count a connection that it lets through; False: it holds no longer."""
        ...

    def has_ended(self, approval_id: ApprovalId) -> bool:
        """Whether what it left was taken back, or its time is over."""
        ...

    def is_metered(self, approval_id: ApprovalId) -> bool:
        """Whether the bytes that it carries count."""
        ...

    def spend(self, approval_id: ApprovalId, count: int) -> None:
        """Count so many bytes. Whoever keeps the ledger sees to it that no more flow than may."""


class AuditSink(Protocol):
    """Where events go: in order, whichever way. All raise `otel.AuditUnavailable`."""

    def record(self, event: Event) -> None:
        """Write one event."""

    async def written(self, event: Event) -> None:
        """Return when the event is written; those of other connections may go with it."""

    def record_then(self, event: Event, then: Callable[[AuditUnavailable | None], None], /) -> None:
        """Call `then(None)` when the event is written, or `then` with what kept it from there.

        By the end of this turn of the loop; within the call only where nothing is written later.
        Itself raises nothing.
        """

    def record_soon(self, event: Event, *, lost: Callable[[], None] | None = None) -> None:
        """Have the event written by the end of this turn of the loop, or call `lost`."""


class Resolver(Protocol):
    """Turns an allowed name into addresses, once."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Canonical IP texts in order of preference. Raises `errors.DestinationUnreachable`."""


class Dialer(Protocol):
    """Connects to one of several addresses that were checked, whatever the destination's name."""

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> _socket.socket:
        """A connected, non-blocking socket. Raises `errors.DestinationUnreachable`."""


class Token(Protocol):
    """The run's cancellation token: cancelled once, the first cause wins."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the run is being ended."""
        ...

    def cancel(self, request: Request, decision: Decision) -> None:
        """End the run for the refusal of this request, unless an earlier one did."""
        ...
