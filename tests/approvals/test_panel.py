from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from approvals.errors import InvalidAnswer, NoOpinion
from approvals.model import Answer, Resolution, Scope, Status, Verdict
from approvals.moves import Answered, Unheard
from approvals.panel import Panel, check_answer
from approvals.trail import Trail
from tests.support.approvals import Absent, ListSink, Scripted, answer
from tests.support.terminals import HeldInquiry
from tests.support.virtual_time import VirtualClock, run_virtual

if TYPE_CHECKING:
    from approvals.moves import Move
    from approvals.ports import Inquiry, Reviewer


def moves_of(
    *reviewers: Reviewer, inquiry: HeldInquiry | None = None
) -> tuple[list[Move], ListSink]:
    async def main() -> tuple[list[Move], ListSink]:
        moves: list[Move] = []
        sink = ListSink()
        trail = Trail(sink, VirtualClock())
        panel = Panel(reviewers, inquiry or HeldInquiry(), trail, moves.append)
        await asyncio.gather(*map(panel.ask, reviewers))
        return moves, sink

    return run_virtual(main())


def crash(_: Inquiry) -> Answer:
    raise ZeroDivisionError("bug")


class Undecided:
    channel = "auto"

    async def review(self, inquiry: Inquiry) -> Answer:
        raise NoOpinion("no rule fits")


def test_answers_become_moves() -> None:
    moves, _ = moves_of(Scripted(lambda _: answer()))
    assert moves == [Answered(answer=answer(), reply=None)]


def test_a_reviewer_that_fails_is_recorded_and_left_out() -> None:
    moves, sink = moves_of(Absent(), Scripted(lambda _: answer()))
    assert [type(move) for move in moves] == [Answered]
    assert sink.names == ["reviewer.failed"]


def test_a_reviewer_without_an_opinion_did_not_fail() -> None:
    moves, sink = moves_of(Undecided(), Scripted(lambda _: answer()))
    assert [type(move) for move in moves] == [Answered]
    assert sink.names == []
    moves, sink = moves_of(Undecided())
    assert moves == [Unheard(why="no rule fits")]
    assert sink.names == []


def test_a_reviewer_that_breaks_when_the_question_is_over_was_asked_all_the_same() -> None:
    inquiry = HeldInquiry()
    inquiry.resolution = Resolution(
        approval_id="a-1", status=Status.WITHDRAWN, answer=None, explanation="over"
    )
    moves, sink = moves_of(Scripted(crash), inquiry=inquiry)
    assert moves == sink.events == []


def test_when_all_fail_the_question_is_unheard_with_the_last_reason() -> None:
    moves, sink = moves_of(Absent(), Scripted(crash))
    assert moves == [Unheard(why="ZeroDivisionError: bug")]
    assert sink.names == ["reviewer.failed", "reviewer.failed"]


def test_an_answer_that_does_not_fit_counts_as_a_failure() -> None:
    moves, _ = moves_of(Scripted(lambda _: answer(seen=2)))
    assert [type(move) for move in moves] == [Unheard]


@pytest.mark.parametrize(
    "bad",
    [
        cast("Answer", "allow"),
        cast("Answer", None),
        replace(answer(), verdict=cast("Verdict", "allow")),
        replace(answer(), scope=cast("Scope", "forever")),
        answer(seen=-1),
        answer(seen=2),
        answer(seen=0),
    ],
    ids=["text", "none", "plain verdict", "unknown scope", "negative", "unseen", "nobody seen"],
)
def test_answers_that_nobody_can_mean(bad: Answer) -> None:
    with pytest.raises(InvalidAnswer):
        check_answer(bad, HeldInquiry())


@pytest.mark.parametrize(
    "good",
    [answer(seen=1), answer(Verdict.DENY, seen=0), answer(Verdict.ALLOW, Scope.SESSION, seen=0)],
    ids=["once", "deny unseen", "session unseen"],
)
def test_answers_that_fit(good: Answer) -> None:
    check_answer(good, HeldInquiry())
