"""Puts on record what was turned away, and why: whoever tries doors leaves a trace.

A trail that takes nothing now is no reason to answer otherwise: the answer is no already.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    InvalidAnswer,
    StaleAnswer,
    StoreUnavailable,
    TooWide,
)
from approvals.model import Rejection, Status
from otel import AuditUnavailable
from otel.events import ReviewRejected

if TYPE_CHECKING:
    from approvals.ports import EventSink

# Any page of any site can make a browser knock here, thousands of times a second; each is refused,
# and what the first ones tell, the others don't tell better.
MOST_STRANGERS: Final = 20
_MINUTE_SECONDS: Final = 60.0


class Strangers:
    """Those who are turned away before anybody knows who they are: so many a minute on record."""

    def __init__(self) -> None:
        self._recorded: deque[float] = deque(maxlen=MOST_STRANGERS)

    def record(self, sink: EventSink, reason: Rejection, *, channel: str, now: float) -> None:
        """Record one, unless there were enough of them; `now` by the monotonic clock."""
        before = self._recorded
        if len(before) == MOST_STRANGERS and now - before[0] < _MINUTE_SECONDS:
            return
        before.append(now)
        record_rejection(sink, reason, channel=channel)


def record_rejection(
    sink: EventSink,
    reason: Rejection,
    *,
    channel: str,
    reviewer: str | None = None,
    approval_id: str | None = None,
) -> None:
    """Record one. `reviewer` only where it is known who that is."""
    with suppress(AuditUnavailable):
        sink.record(
            ReviewRejected(
                approval_id=approval_id, channel=channel, reviewer=reviewer, reason=reason
            )
        )


def rejection_of(error: ApprovalError) -> Rejection:
    """Why the approval service turned an answer away."""
    match error:
        case AlreadyResolved(resolution=winner):
            expired = winner.status is Status.EXPIRED and winner.answer is None
            return Rejection.EXPIRED if expired else Rejection.ALREADY_RESOLVED
        case StaleAnswer():
            return Rejection.STALE
        case TooWide():
            return Rejection.SCOPE
        case InvalidAnswer():
            return Rejection.INVALID
        case StoreUnavailable():
            return Rejection.UNRECORDED
    return Rejection.UNKNOWN
