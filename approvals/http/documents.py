"""Values of the approval service as documents of the API. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.http import wire
from approvals.shown import shown
from approvals.times import rfc3339
from otel import visible

if TYPE_CHECKING:
    from approvals.model import (
        Answer,
        Budget,
        Change,
        Grant,
        Pending,
        Question,
        Record,
        Resolution,
        Story,
    )

# What a host can become when each of its 253 characters is escaped.
_HOST_LIMIT = 2560


def pending_document(pending: Pending) -> wire.Pending:
    """A question that stands, with what an answer has to repeat."""
    return wire.Pending(
        approval_id=pending.question.approval_id,
        version=pending.version,
        digest=pending.question.digest,
        join_no=pending.joined,
        waiting=pending.waiting,
        seconds_left=round(max(0.0, pending.seconds_left), 3),
        request=request_document(pending.question),
    )


def request_document(question: Question) -> wire.Request:
    """What the digest is taken over."""
    return wire.Request.model_validate(shown(question))


def decision_document(record: Record) -> wire.Decision:
    """A question and how it ended."""
    return wire.Decision(
        approval_id=record.question.approval_id,
        status=record.status,
        version=record.version,
        request=request_document(record.question),
        ended_at=None if record.ended_at is None else rfc3339(record.ended_at),
        answer=None if record.answer is None else answer_document(record.answer),
    )


def answer_document(answer: Answer) -> wire.Answer:
    """What a reviewer said."""
    return wire.Answer(
        verdict=answer.verdict,
        scope=answer.scope,
        seconds=answer.seconds,
        budget=_budget(answer.budget),
        cancel=answer.cancel,
        reviewer=visible(answer.reviewer),
        channel=visible(answer.channel),
        comment=None if answer.comment is None else visible(answer.comment),
    )


def grant_document(grant: Grant) -> wire.Grant:
    """A yes or a no that holds, or held."""
    key = grant.key
    return wire.Grant(
        grant_id=grant.grant_id,
        approval_id=grant.approval_id,
        destination=visible(key.destination, limit=_HOST_LIMIT),
        host=visible(key.host, limit=_HOST_LIMIT),
        protocol=visible(key.protocol),
        port=key.port,
        session=key.session,
        run=grant.run,
        verdict=grant.verdict,
        scope=grant.scope,
        created_at=rfc3339(grant.created_at),
        expires_at=None if grant.expires_at is None else rfc3339(grant.expires_at),
        budget=_budget(grant.budget),
        used_connections=grant.used_connections,
        used_bytes=grant.used_bytes,
        reviewer=visible(grant.reviewer),
        channel=visible(grant.channel),
        comment=None if grant.comment is None else visible(grant.comment),
    )


def story_document(story: Story, pending: Pending | None) -> wire.Story:
    """One approval with what is known around it."""
    return wire.Story(
        approval=decision_document(story.record),
        pending=None if pending is None else pending_document(pending),
        grant=None if story.grant is None else grant_document(story.grant),
        earlier=[decision_document(record) for record in story.earlier],
        first_seen=story.first_seen,
    )


def resolution_document(resolution: Resolution) -> wire.Resolution:
    """How a question ended by an answer."""
    return wire.Resolution(
        approval_id=resolution.approval_id,
        status=resolution.status,
        explanation=visible(resolution.explanation),
        answer=None if resolution.answer is None else answer_document(resolution.answer),
    )


def change_document(change: Change) -> wire.Change:
    """One line of the feed."""
    return wire.Change(
        number=change.number, kind=change.kind, ref=change.ref, at=rfc3339(change.at)
    )


def _budget(budget: Budget | None) -> wire.Budget | None:
    if budget is None:
        return None
    return wire.Budget(connections=budget.connections, bytes=budget.bytes)
