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
        """`sink_of` knows the sink of a run or a session that has one of its own, by its id."""
        self._usual = sink
        self._sink_of = sink_of
        self._clock = clock
        # Of the questions that stand: their end comes when the run that asked may be gone.
        self._asked: dict[str, EventSink] = {}

    def requested(self, question: Question) -> None:
        """Record that a question is about to be put. Raises `AuditUnavailable`: then it isn't."""
        key = question.key
        sink = self._sink(question.asking.run, key.session)
        sink.record(
            ApprovalRequested(
                approval_id=question.approval_id,
                server_address=key.host,
                server_port=key.port,
                protocol=key.protocol,
                expires_at=rfc3339(question.expires_at),
                group=question.asking.group,
            )
        )
        self._asked[question.approval_id] = sink

    def reviewed(self, question: Question, answer: Answer) -> bool:
        """Whether the answer is safely on record; an allow without that takes no effect."""
        return _synced(
            self._sink_for(question),
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
        _written(
            self._sink_for(question),
            ReviewRejected(
                approval_id=question.approval_id,
                channel=answer.channel,
                reviewer=answer.reviewer,
                reason=reason,
            ),
        )

    def flood(self, session: str, limit: Limit, refused: int) -> None:
        """Record how much a session asked beyond a limit."""
        _written(self._sink(session), ApprovalFlood(limit=limit, refused=refused))

    def granted(self, grant: Grant) -> bool:
        """Whether what the session remembers from here on is safely on record."""
        return _synced(
            self._sink(grant.run, grant.key.session),
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
        sink = self._sink(grant.run, grant.key.session)
        return _written(sink, event) if by is None else _synced(sink, event)

    def resolved(self, question: Question, status: Status, waiters: int) -> None:
        """Record how a question ended; its answer, where there was one, is on record already."""
        elapsed_seconds = max(0.0, self._clock.wall() - question.created_at)
        _written(
            self._sink_for(question),
            ApprovalResolved(
                approval_id=question.approval_id,
                state=status,
                waiters=waiters,
                duration_ms=round(elapsed_seconds * 1000),
            ),
        )
        self._asked.pop(question.approval_id, None)

    def left(
        self, question: Question, asking: Asking, reason: Leaving, waited_seconds: float
    ) -> None:
        """Record that a request no longer waits for the answer to a question that stands."""
        _written(
            self._sink(asking.run, question.key.session),
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
        _written(self._sink_for(question), event)

    def swept(self, swept: Swept) -> None:
        """Record what was ended for gateways that could not say so themselves."""
        for record in swept.withdrawn:
            self.resolved(record.question, record.status, 0)
        for grant in swept.ended:
            self.grant_ended(grant, GrantEnd.GATEWAY_LOST)

    def _sink_for(self, question: Question) -> EventSink:
        asked = self._asked.get(question.approval_id)
        return asked or self._sink(question.asking.run, question.key.session)

    def _sink(self, *ids: str) -> EventSink:
        """The run's where it is here still, else its session's: then whoever is in it now."""
        return next((sink for each in ids if (sink := self._sink_of(each))), self._usual)


def _synced(sink: EventSink, event: Event) -> bool:
    with suppress(AuditUnavailable):
        sink.record_synced(event)
        return True
    return False


def _written(sink: EventSink, event: Event) -> bool:
    with suppress(AuditUnavailable):
        sink.record(event)
        return True
    return False
