"""Reviewers are taken away, crash or hang: the answer is no, at once where nobody can answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.model import Answer, Ending, Outcome, Verdict
from tests.support.approvals import ASKING, Absent, ListSink, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals.ports import Inquiry, Reviewer


class Deaf:
    """Never takes a question, and never says that it can't."""

    channel = "deaf"

    async def review(self, inquiry: Inquiry) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError("never")


def crash(_: Inquiry) -> Answer:
    raise RuntimeError("bug")


def asked(*reviewers: Reviewer, sink: ListSink | None = None) -> tuple[Outcome, float]:
    """The outcome, and the seconds that it took."""

    async def main() -> tuple[Outcome, float]:
        async with service(*reviewers, sink=sink) as approvals:
            outcome = await approvals.ask(ASKING)
            return outcome, asyncio.get_running_loop().time()

    return run_virtual(main())


@pytest.mark.parametrize(
    ("reviewers", "seconds", "why"),
    [
        ((), 0, "there is nobody to ask"),
        ((Absent(),), 0, "no terminal"),
        ((Scripted(crash),), 1, "RuntimeError: bug"),
        ((Scripted(lambda _: answer(seen=99)),), 1, "it speaks of requests that were never shown"),
        ((Deaf(),), 10, "no reviewer took the question in time"),
        ((Deaf(), Absent()), 10, "no reviewer took the question in time"),
    ],
    ids=["none", "absent", "crash", "malformed", "deaf", "deaf and absent"],
)
def test_nobody_to_ask_is_a_refusal_at_once(
    reviewers: tuple[Reviewer, ...], seconds: float, why: str
) -> None:
    outcome, took = asked(*reviewers)
    assert outcome.ending is Ending.UNAVAILABLE
    assert not outcome.allowed
    assert outcome.answer is None
    assert outcome.explanation == why
    assert took == pytest.approx(seconds)


def test_one_that_works_is_enough() -> None:
    sink = ListSink()
    outcome, _ = asked(Absent(), Deaf(), Scripted(crash), Scripted(lambda _: answer()), sink=sink)
    assert outcome.ending is Ending.APPROVED
    assert sink.names.count("reviewer.failed") == 2


def test_one_that_took_the_question_keeps_it_open() -> None:
    outcome, took = asked(Silent(), Absent())
    assert outcome.ending is Ending.TIMEOUT
    assert took == pytest.approx(120)


def test_after_a_crash_the_next_question_is_asked_anew() -> None:
    async def main() -> None:
        reviewer = Scripted(crash)
        async with service(reviewer) as approvals:
            endings = [(await approvals.ask(ASKING)).ending]
            reviewer.reply = lambda _: answer()
            endings.append((await approvals.ask(ASKING)).ending)
        assert endings == [Ending.UNAVAILABLE, Ending.APPROVED]

    run_virtual(main())


def test_the_service_that_is_torn_down_refuses_whoever_waits() -> None:
    """An error beside it goes on as it is; nobody is let through and nobody hangs."""

    async def main() -> None:
        waits: list[asyncio.Task[Outcome]] = []

        async def fail(tasks: asyncio.TaskGroup) -> None:
            async with service(Silent()) as approvals:
                waits.append(tasks.create_task(approvals.ask(ASKING)))
                await asyncio.sleep(1)
                raise KeyError

        async with asyncio.TaskGroup() as tasks:
            with pytest.raises(KeyError):
                await fail(tasks)
        assert [wait.result().ending for wait in waits] == [Ending.WITHDRAWN]

    run_virtual(main())


def test_a_denial_is_never_lost_to_a_reviewer_that_fails_at_the_same_moment() -> None:
    outcome, _ = asked(Scripted(lambda _: answer(Verdict.DENY)), Scripted(crash))
    assert outcome.ending is Ending.DENIED
