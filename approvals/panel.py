"""Asks the reviewers of one question side by side and turns what they do into moves.

The first valid answer is a move like any other. A reviewer that fails is recorded and left out;
when the last one has failed, the question is unheard.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from approvals.errors import (
    InvalidAnswer,
    NoOpinion,
    ReviewerUnavailable,
    StaleAnswer,
    TooWide,
)
from approvals.model import Answer, Scope, Verdict
from approvals.moves import Answered, Unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.model import Question
    from approvals.moves import Move
    from approvals.ports import Inquiry, Reviewer
    from approvals.trail import Trail

# A rule has no budget, and once is one already.
_BUDGETED = frozenset({Scope.RUN, Scope.TIME, Scope.SESSION})
_REACH = {
    Scope.ONCE: "once",
    Scope.RUN: "for the run",
    Scope.TIME: "for a time",
    Scope.SESSION: "for the session",
    Scope.ALWAYS: "for always",
}


class Panel:
    """The reviewers of one question."""

    def __init__(
        self,
        reviewers: tuple[Reviewer, ...],
        inquiry: Inquiry,
        trail: Trail,
        submit: Callable[[Move], None],
    ) -> None:
        self._inquiry = inquiry
        self._trail = trail
        self._submit = submit
        self._left = len(reviewers)

    async def ask(self, reviewer: Reviewer) -> None:
        """Ask one reviewer: a task of its own, cancelled when the question is settled."""
        try:
            answer = await reviewer.review(self._inquiry)
            check_answer(answer, self._inquiry)
        except NoOpinion as error:
            self._out(str(error))
        except (ReviewerUnavailable, InvalidAnswer) as error:
            self._failed(reviewer, str(error))
        except Exception as error:  # noqa: BLE001  # a task's root: one reviewer's bug is not the others'
            self._failed(reviewer, f"{type(error).__name__}: {error}")
        else:
            self._submit(Answered(answer=answer, reply=None))

    def _failed(self, reviewer: Reviewer, why: str) -> None:
        if self._inquiry.resolution is not None:
            return  # it was asked; the question was over before it came to its own end
        self._trail.reviewer_failed(self._inquiry.question, reviewer.channel, why)
        self._out(why)

    def _out(self, why: str) -> None:
        """One less that could answer."""
        self._left -= 1
        if not self._left:
            self._submit(Unheard(why=why))


def check_answer(answer: Answer, inquiry: Inquiry) -> None:
    """Refuse what no reviewer can mean. Raises `InvalidAnswer`.

    Reviewers may be other people's code: what they return is judged, not believed.
    """
    if not isinstance(answer, Answer):
        raise InvalidAnswer(f"not an answer: {type(answer).__name__}")
    if type(answer.verdict) is not Verdict or type(answer.scope) is not Scope:
        raise InvalidAnswer("unknown verdict or scope")
    if answer.seen_version not in {None, inquiry.version}:
        raise StaleAnswer("it was given on another version of the question")
    if answer.seen_digest not in {None, inquiry.question.digest}:
        raise StaleAnswer("it was given to something else than what is asked")
    _check_reach(answer, inquiry.question)
    _check_budget(answer)
    allows = answer.verdict is Verdict.ALLOW
    if not 0 <= answer.seen_join_no <= inquiry.joined:
        raise InvalidAnswer("it speaks of requests that were never shown")
    if allows and answer.scope is Scope.ONCE and not answer.seen_join_no:
        raise InvalidAnswer("allow once covers the requests that were seen, and none was")


def _check_reach(answer: Answer, question: Question) -> None:
    allows = answer.verdict is Verdict.ALLOW
    if answer.scope not in (question.scopes if allows else question.denial_scopes):
        raise TooWide(f"a {'yes' if allows else 'no'} may not be given {_REACH[answer.scope]} here")
    if (answer.seconds is not None) is not (answer.scope is Scope.TIME):
        raise InvalidAnswer("seconds go with an answer for a time, and with no other")
    if answer.seconds is not None:
        if not (math.isfinite(answer.seconds) and answer.seconds > 0):
            raise InvalidAnswer("a time is a number of seconds above zero")
        if answer.seconds > question.longest_seconds:
            raise TooWide(f"a yes may hold {question.longest_seconds:g} s at most here")


def _check_budget(answer: Answer) -> None:
    if (budget := answer.budget) is None:
        return
    if answer.verdict is not Verdict.ALLOW or answer.scope not in _BUDGETED:
        raise InvalidAnswer("only a yes that is remembered can have a budget")
    if any(limit is not None and limit < 1 for limit in (budget.connections, budget.bytes)):
        raise InvalidAnswer("a budget is a number above zero")
