"""What those who wait are told, and what reviewers see of who waits. Values only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from approvals.model import Ending, Leaving, Limit, Outcome, Pending

if TYPE_CHECKING:
    from asyncio import CancelledError

    from approvals.model import Grant
    from approvals.ports import Inquiry

_TOO_MANY = {
    Limit.PENDING: "too many questions of this session wait for an answer",
    Limit.RATE: "this session asked too many questions within a short time",
}


def pending(inquiry: Inquiry) -> Pending:
    """A question that stands, as it is now."""
    return Pending(
        question=inquiry.question,
        version=inquiry.version,
        waiting=inquiry.waiting,
        joined=inquiry.joined,
        seconds_left=inquiry.seconds_left,
    )


def leaving_of(cancelled: CancelledError) -> Leaving:
    """Why a wait was cancelled, as its message says; without one the client has left."""
    try:
        return Leaving(str(cancelled))
    except ValueError:
        return Leaving.CLIENT_GONE


def remembered(grant: Grant, ending: Ending, why: str) -> Outcome:
    """An answer that was given before."""
    return Outcome(
        ending=ending, approval_id=grant.approval_id, answer=grant.answer, explanation=why
    )


def unasked(ending: Ending, why: str) -> Outcome:
    """No question was put."""
    return Outcome(ending=ending, approval_id=None, answer=None, explanation=why)


def too_many(limit: Limit, wait_seconds: float) -> Outcome:
    """The session asks more than it may."""
    return Outcome(
        ending=Ending.TOO_MANY,
        approval_id=None,
        answer=None,
        explanation=_TOO_MANY[limit],
        retry_after_seconds=math.ceil(wait_seconds),
    )


def timed_out(inquiry: Inquiry, waited_seconds: float, retry_after_seconds: int) -> Outcome:
    """A connection is held no longer, and its question goes on to stand."""
    left = max(1, round(inquiry.seconds_left / 60))
    why = (
        f"nobody answered within {round(waited_seconds)} s; a yes within the next {left} min "
        "serves another try"
    )
    return Outcome(
        ending=Ending.TIMEOUT,
        approval_id=inquiry.question.approval_id,
        answer=None,
        explanation=why,
        retry_after_seconds=retry_after_seconds,
    )
