"""Turns what happens to approvals into audit events.

Two strengths: what must be on disk before it takes effect says whether it is, everything else is
written as well as it can be. A broken trail never turns a no into an exception.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from approvals.times import rfc3339
from otel import AuditUnavailable
from otel.events import (
    ApprovalRequested,
    ApprovalResolved,
    ApprovalReviewed,
    Event,
    GrantCreated,
    GrantEnded,
    ReviewerFailed,
    WaiterLeft,
)

if TYPE_CHECKING:
    from approvals.model import Answer, Asking, Grant, GrantEnd, Leaving, Question, Status
    from approvals.ports import Clock, EventSink


class Trail:
    """The approval service's pen."""

    def __init__(self, sink: EventSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    def requested(self, question: Question) -> None:
        """Record that a question is about to be put. Raises `AuditUnavailable`: then it isn't."""
        key = question.key
        self._sink.record(
            ApprovalRequested(
                approval_id=question.approval_id,
                server_address=key.host,
                server_port=key.port,
                protocol=key.protocol,
                expires_at=rfc3339(question.expires_at),
                group=question.asking.group,
            )
        )

    def reviewed(self, question: Question, answer: Answer) -> bool:
        """Whether the answer is safely on record; an allow without that takes no effect."""
        return self._synced(
            ApprovalReviewed(
                approval_id=question.approval_id,
                verdict=answer.verdict,
                scope=answer.scope,
                reviewer=answer.reviewer,
                channel=answer.channel,
                comment=answer.comment,
            )
        )

    def granted(self, grant: Grant) -> bool:
        """Whether what the session remembers from here on is safely on record."""
        return self._synced(
            GrantCreated(
                grant_id=grant.grant_id,
                approval_id=grant.approval_id,
                kind=grant.verdict,
                scope=grant.scope,
                server_address=grant.key.host,
                server_port=grant.key.port,
                protocol=grant.key.protocol,
            )
        )

    def grant_ended(self, grant: Grant, end_reason: GrantEnd) -> bool:
        """Whether the end of a grant is on record."""
        return self._written(GrantEnded(grant_id=grant.grant_id, end_reason=end_reason))

    def resolved(self, question: Question, status: Status, waiters: int) -> None:
        """Record how a question ended; its answer, where there was one, is on record already."""
        elapsed_seconds = max(0.0, self._clock.wall() - question.created_at)
        self._written(
            ApprovalResolved(
                approval_id=question.approval_id,
                state=status,
                waiters=waiters,
                duration_ms=round(elapsed_seconds * 1000),
            )
        )

    def left(
        self, question: Question, asking: Asking, reason: Leaving, waited_seconds: float
    ) -> None:
        """Record that a request no longer waits for the answer to a question that stands."""
        self._written(
            WaiterLeft(
                approval_id=question.approval_id,
                connection_id=asking.connection,
                reason=reason,
                duration_ms=round(waited_seconds * 1000),
            )
        )

    def reviewer_failed(self, question: Question, channel: str, why: str) -> None:
        """Record that a reviewer could not be asked: nobody saw the question there."""
        self._written(
            ReviewerFailed(approval_id=question.approval_id, channel=channel, error_type=why)
        )

    def _synced(self, event: Event) -> bool:
        with suppress(AuditUnavailable):
            self._sink.record_synced(event)
            return True
        return False

    def _written(self, event: Event) -> bool:
        with suppress(AuditUnavailable):
            self._sink.record(event)
            return True
        return False
