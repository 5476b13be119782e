"""One question by itself: the order of settling, and what comes too late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from approvals.config import Config
from approvals.hearing import Desk, Hearing
from approvals.memory import SessionMemory
from approvals.model import Ending, Question, Resolution, Scope, Status, Verdict
from approvals.moves import Answered, Unheard, Withdrawn
from approvals.trail import Trail
from tests.support.approvals import ASKING, KEY, ListSink, Silent, SlowStore, answer, grant
from tests.support.virtual_time import VirtualClock, run_virtual

if TYPE_CHECKING:
    from approvals.ports import Reviewer

QUESTION = Question(
    approval_id="a-1",
    asking=ASKING,
    created_at=VirtualClock.STARTED,
    expires_at=VirtualClock.STARTED + 900,
)


class Bench:
    """A hearing, what it uses, and what it said when it was settled."""

    def __init__(self, *reviewers: Reviewer) -> None:
        clock = VirtualClock()
        self.sink = ListSink()
        self.memory = SessionMemory()
        desk = Desk(
            reviewers=reviewers or (Silent(),),
            store=SlowStore(),
            trail=Trail(self.sink, clock),
            memory=self.memory,
            clock=clock,
            config=Config(),
        )
        self.settled: list[Resolution | None] = []
        self.hearing = Hearing(QUESTION, desk, lambda h: self.settled.append(h.resolution))


def test_moves_are_taken_in_the_order_in_which_they_came() -> None:
    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        bench.hearing.submit(Answered(answer=answer(Verdict.DENY), reply=None))
        bench.hearing.submit(Answered(answer=answer(Verdict.ALLOW), reply=None))
        await bench.hearing.run()
        outcome = waiter.result()
        assert outcome is not None
        assert outcome.ending is Ending.DENIED
        assert len(bench.settled) == 1

    run_virtual(main())


def test_it_is_closed_and_remembered_before_anybody_wakes() -> None:
    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        seen: list[tuple[int, bool]] = []
        waiter.add_done_callback(
            lambda _: seen.append((len(bench.settled), bench.memory.grant(KEY) is not None))
        )
        bench.hearing.submit(Answered(answer=answer(Verdict.ALLOW, Scope.SESSION), reply=None))
        await bench.hearing.run()
        assert seen == [(1, True)]

    run_virtual(main())


def test_a_denial_for_the_session_that_came_by_another_way_beats_the_answer() -> None:
    """The session denied it while the question stood: the approval is taken back."""

    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        bench.memory.remember(grant(said=answer(Verdict.DENY, Scope.SESSION)))
        bench.hearing.submit(Answered(answer=answer(Verdict.ALLOW, Scope.SESSION), reply=None))
        await bench.hearing.run()
        outcome = waiter.result()
        assert outcome is not None
        assert outcome.ending is Ending.DENIED_BY_SESSION
        assert bench.memory.grant(KEY) is None
        assert bench.settled[0] is not None
        assert bench.settled[0].status is Status.REVOKED
        assert "grant.created" not in bench.sink.names

    run_virtual(main())


def test_what_comes_after_the_end_changes_nothing() -> None:
    async def main() -> None:
        bench = Bench()
        bench.hearing.submit(Withdrawn(why="the command ended"))
        await bench.hearing.run()
        before = bench.hearing.resolution
        bench.hearing.submit(Unheard(why="too late"))
        bench.hearing.submit(Answered(answer=answer(), reply=None))
        bench.hearing.submit(Withdrawn(why="again"))
        assert bench.hearing.resolution is before
        assert bench.sink.names == ["approval.resolved"]

    run_virtual(main())


def test_a_hearing_that_is_cancelled_refuses_whoever_waits() -> None:
    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(bench.hearing.run())
            await asyncio.sleep(1)
            task.cancel()
        outcome = waiter.result()
        assert outcome is not None
        assert outcome.ending is Ending.WITHDRAWN

    run_virtual(main())


def test_an_answer_for_the_seconds_that_are_left() -> None:
    async def main() -> None:
        bench = Bench()
        assert bench.hearing.seconds_left == 900
        await asyncio.sleep(890)
        assert round(bench.hearing.seconds_left) == 10
        assert (bench.hearing.waiting, bench.hearing.joined) == (0, 0)

    run_virtual(main())
