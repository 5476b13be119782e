"""What can happen to an open question: the moves that a hearing takes one by one. Pure values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from approvals.model import Scope, Verdict
from otel.values import dataclass

if TYPE_CHECKING:
    from asyncio import Future

    from approvals.model import Answer, Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A reviewer answered; `reply` is set where the answer came in by `decide`."""

    answer: Answer
    reply: Future[Resolution] | None

    def denies(self) -> bool:
        """Whether it says no."""
        return self.answer.verdict is Verdict.DENY

    def denies_for_long(self) -> bool:
        """Whether it says no to whatever comes, too."""
        return self.denies() and self.answer.scope is not Scope.ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The question's own time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """No reviewer is left that could answer."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Nobody wants to know any more."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledElsewhere:
    """Another gateway changed the record: it is looked at anew."""


type Move = Answered | Expired | Unheard | Withdrawn | SettledElsewhere
