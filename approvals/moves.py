"""What can happen to an open question: the moves that a hearing takes one by one. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future

    from approvals.model import Answer, Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A reviewer answered; `reply` is set where the answer came in by `decide`."""

    answer: Answer
    reply: Future[Resolution] | None


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


type Move = Answered | Expired | Unheard | Withdrawn
