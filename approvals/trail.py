"""Turns what happens to approvals into audit events.

Two strengths: what must be on disk before it takes effect says whether it is, everything else is
written as well as it can be. A broken trail never turns a no into an exception.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from approvals.model import GrantEnd
from approvals.times import rfc3339
from otel import AuditUnavailable
from otel.events import (
    ApprovalFlood,
    ApprovalRequested,
    ApprovalResolved,
    ApprovalReviewed,
    Event,
    GrantCreated,
    GrantEnded,
    ReviewerFailed,
    ReviewRejected,
    WaiterLeft,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.grants import Revoker
    from approvals.model import (
        Answer,
        Asking,
        Grant,
        Leaving,
        Limit,
        Question,
        Rejection,
        Status,
        Swept,
    )
    from approvals.ports import Clock, EventSink


class Trail:
    """The approval service's pen."""

    def __init__(
        self,
        sink: EventSink,
        clock: Clock,
        *,
        sink_of: Callable[[str], EventSink | None] = lambda _: None,
    ) -> None:
        """`sink_of` knows the sink of a session that has one of its own."""
        self._usual = sink
        self._sink_of = sink_of
        self._clock = clock

    def requested(self, question: Question) -> None:
        """Record that a question is about to be put. Raises `AuditUnavailable`: then it isn't."""
        key = question.key
        self._sink(key.session).record(
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
            question.key.session,
            ApprovalReviewed(
                approval_id=question.approval_id,
                verdict=answer.verdict,
                scope=answer.scope,
                reviewer=answer.reviewer,
                channel=answer.channel,
                comment=answer.comment,
                seconds=None if answer.seconds is None else round(answer.seconds),
                budget_connections=None if answer.budget is None else answer.budget.connections,
                budget_bytes=None if answer.budget is None else answer.budget.bytes,
            ),
        )

    def rejected(self, question: Question, reason: Rejection, answer: Answer) -> None:
        """Record that an answer was turned away."""
        self._written(
            question.key.session,
            ReviewRejected(
                approval_id=question.approval_id,
                channel=answer.channel,
                reviewer=answer.reviewer,
                reason=reason,
            ),
        )

    def flood(self, session: str, limit: Limit, refused: int) -> None:
        """Record how much a session asked beyond a limit."""
        self._written(session, ApprovalFlood(limit=limit, refused=refused))

    def granted(self, grant: Grant) -> bool:
        """Whether what the session remembers from here on is safely on record."""
        return self._synced(
            grant.key.session,
            GrantCreated(
                grant_id=grant.grant_id,
                approval_id=grant.approval_id,
                kind=grant.verdict,
                scope=grant.scope,
                server_address=grant.key.host,
                server_port=grant.key.port,
                protocol=grant.key.protocol,
                expires_at=None if grant.expires_at is None else rfc3339(grant.expires_at),
                budget_connections=None if grant.budget is None else grant.budget.connections,
                budget_bytes=None if grant.budget is None else grant.budget.bytes,
            ),
        )

    def grant_ended(self, grant: Grant, end_reason: GrantEnd, by: Revoker | None = None) -> bool:
        """Whether the end of a grant is on record; synced, where somebody took it back."""
        event = GrantEnded(
            grant_id=grant.grant_id,
            end_reason=end_reason,
            reviewer=None if by is None else by.reviewer,
            channel=None if by is None else by.channel,
            comment=None if by is None else by.comment,
            connections=grant.used_connections,
            bytes=grant.used_bytes,
        )
        session = grant.key.session
        return self._written(session, event) if by is None else self._synced(session, event)

    def resolved(self, question: Question, status: Status, waiters: int) -> None:
        """Record how a question ended; its answer, where there was one, is on record already."""
        elapsed_seconds = max(0.0, self._clock.wall() - question.created_at)
        self._written(
            question.key.session,
            ApprovalResolved(
                approval_id=question.approval_id,
                state=status,
                waiters=waiters,
                duration_ms=round(elapsed_seconds * 1000),
            ),
        )

    def left(
        self, question: Question, asking: Asking, reason: Leaving, waited_seconds: float
    ) -> None:
        """Record that a request no longer waits for the answer to a question that stands."""
        self._written(
            question.key.session,
            WaiterLeft(
                approval_id=question.approval_id,
                connection_id=asking.connection,
                reason=reason,
                duration_ms=round(waited_seconds * 1000),
            ),
        )

    def reviewer_failed(self, question: Question, channel: str, why: str) -> None:
        """Record that a reviewer could not be asked: nobody saw the question there."""
        event = ReviewerFailed(approval_id=question.approval_id, channel=channel, error_type=why)
        self._written(question.key.session, event)

    def swept(self, swept: Swept) -> None:
        """Record what was ended for gateways that could not say so themselves."""
        for record in swept.withdrawn:
            self.resolved(record.question, record.status, 0)
        for grant in swept.ended:
            self.grant_ended(grant, GrantEnd.GATEWAY_LOST)

    def _synced(self, session: str, event: Event) -> bool:
        with suppress(AuditUnavailable):
            self._sink(session).record_synced(event)
            return True
        return False

    def _written(self, session: str, event: Event) -> bool:
        with suppress(AuditUnavailable):
            self._sink(session).record(event)
            return True
        return False

    def _sink(self, session: str) -> EventSink:
        return self._sink_of(session) or self._usual
