"""What an answer comes to: the grant that it leaves, whom it is for, how it ends a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Ending, Grant, Scope, Status, Verdict
from otel import new_id

if TYPE_CHECKING:
    from approvals.config import Config
    from approvals.model import Answer, Question, Record
    from approvals.waiters import Waiters

ALLOWED = {
    Scope.ONCE: "a reviewer allowed the next try",
    Scope.RUN: "a reviewer allowed it for this run",
    Scope.TIME: "a reviewer allowed it for a time",
    Scope.SESSION: "a reviewer allowed it for this session",
    Scope.ALWAYS: "a reviewer allowed it for always",
}
_LOCAL = frozenset({Scope.ONCE, Scope.RUN})


def new_grant(question: Question, answer: Answer, now: float, config: Config) -> Grant:
    """What the answer leaves behind. Its time runs from now on, not from when it was asked.

    A yes for once is a lease: somebody waited too long, and comes again.
    """
    seconds = answer.seconds
    if answer.verdict is Verdict.ALLOW and seconds is None:
        seconds = config.longest_lease if answer.scope is Scope.ONCE else config.grant_seconds
    return Grant(
        grant_id=new_id("g"),
        approval_id=question.approval_id,
        key=question.key,
        verdict=answer.verdict,
        scope=answer.scope,
        run=question.asking.run,
        created_at=now,
        expires_at=None if seconds is None else now + seconds,
        budget=answer.budget,
        reviewer=answer.reviewer,
        channel=answer.channel,
        comment=answer.comment,
        cancel=answer.cancel,
        rule_file=question.asking.rule_file if answer.scope is Scope.ALWAYS else None,
    )


def covered_by(
    waiters: Waiters, question: Question, ending: Ending, answer: Answer | None
) -> frozenset[int]:
    """The waiters that an ending is for: a yes may be for some of them only."""
    if ending is not Ending.APPROVED or answer is None:
        return waiters.covered()
    return waiters.covered(
        up_to=answer.seen_join_no if answer.scope is Scope.ONCE else None,
        run=question.asking.run if answer.scope is Scope.RUN else None,
        most=answer.budget.connections if answer.budget else None,
    )


def ending_of(record: Record, grant: Grant | None) -> Ending | None:
    """How a record that another gateway settled ends the wait here; None: it is asked anew."""
    match record.status:
        case Status.DENIED:
            return Ending.UNAVAILABLE if record.answer is None else Ending.DENIED
        case Status.EXPIRED if record.answer is None:
            return Ending.TIMEOUT
        case Status.GRANTED if grant is not None and grant.scope not in _LOCAL:
            return Ending.APPROVED
        case _:
            return None
