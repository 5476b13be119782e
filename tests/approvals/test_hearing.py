"""One question by itself: the order of settling, and what comes too late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from approvals.config import Config
from approvals.desk import Desk
from approvals.docket import Docket
from approvals.grants import Grants
from approvals.hearing import Hearing
from approvals.memory import SessionMemory
from approvals.model import Ending, Question, Resolution, Scope, Status, Verdict
from approvals.moves import Answered, Unheard, Withdrawn
from approvals.trail import Trail
from tests.support.approvals import ASKING, KEY, ListSink, Silent, SlowStore, answer, grant
from tests.support.virtual_time import VirtualClock, run_virtual

if TYPE_CHECKING:
    from approvals.ports import RuleWriter, Store

QUESTION = Question(
    approval_id="a-1",
    asking=ASKING,
    created_at=VirtualClock.STARTED,
    expires_at=VirtualClock.STARTED + 900,
)


class Bench:
    """A hearing, what it uses, and what it said when it was settled."""

    def __init__(self, store: Store | None = None, rules: RuleWriter | None = None) -> None:
        clock = VirtualClock()
        self.sink = ListSink()
        self.memory = SessionMemory()
        self.store = store or SlowStore()
        trail = Trail(self.sink, clock)
        self.docket = Docket(8)
        self.desk = Desk(
            reviewers=(Silent(),),
            store=self.store,
            trail=trail,
            memory=self.memory,
            grants=Grants(self.memory, self.store, trail, clock, lambda: None),
            docket=self.docket,
            rules=rules,
            clock=clock,
            config=Config(),
            ready=self._ready,
            changed=lambda: None,
        )
        self.hearing = self.of(QUESTION)

    def of(self, question: Question) -> Hearing:
        hearing = Hearing(question, self.desk)
        self.docket.put(hearing)
        return hearing

    @property
    def settled(self) -> Resolution | None:
        return self.docket.resolution("a-1")

    @staticmethod
    async def _ready() -> None:
        pass


def test_a_no_is_taken_before_a_yes_that_waits_beside_it() -> None:
    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        bench.hearing.submit(Answered(answer=answer(Verdict.ALLOW), reply=None))
        bench.hearing.submit(Answered(answer=answer(Verdict.DENY), reply=None))
        await bench.hearing.run()
        outcome = waiter.result()
        assert outcome is not None
        assert outcome.ending is Ending.DENIED
        assert bench.settled is not None

    run_virtual(main())


def test_it_is_closed_and_remembered_before_anybody_wakes() -> None:
    async def main() -> None:
        bench = Bench()
        _, waiter = bench.hearing.waiters.join("r-1")
        seen: list[tuple[bool, bool]] = []
        waiter.add_done_callback(
            lambda _: seen.append((bench.settled is not None, bench.memory.grant(KEY) is not None))
        )
        bench.hearing.submit(Answered(answer=answer(Verdict.ALLOW, Scope.SESSION), reply=None))
        await bench.hearing.run()
        assert seen == [(True, True)]

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
        assert bench.settled is not None
        assert bench.settled.status is Status.REVOKED
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
        assert bench.sink.names == ["approval.resolved", "approval.review_rejected"]

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
