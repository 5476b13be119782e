"""Whatever happens in whatever order: what must hold of questions, answers and grants."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from approvals.config import Config
from approvals.errors import ApprovalError
from approvals.model import Answer, Budget, Scope, Status, Verdict
from otel.events import ApprovalReviewed, GrantCreated, GrantEnded
from tests.support.approvals import ASKING, KEY, ListSink, Silent, SlowStore, service
from tests.support.virtual_time import VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from approvals.model import Asking, Outcome

HOSTS = st.sampled_from(["a.example", "b.example"])
RUNS = st.sampled_from(["r-1", "r-2"])
# Within the hold time, past it, past a time that was given, past the question's life.
SECONDS = st.sampled_from([0.0, 0.2, 45.0, 130.0, 1000.0])
CONFIG = Config(widest_scope=Scope.SESSION, max_new=10_000)


class LoopClock(VirtualClock):
    """The loop's time, told outside of its tasks, too."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()


class AnyOrder(RuleBasedStateMachine):
    """Asks, answers, leaves, ends, revokes and waits; some of it at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.sink, self.store, self.reviewer = ListSink(), SlowStore(), Silent()
        self.waits: list[asyncio.Task[Outcome]] = []
        self.ended: dict[str, Status] = {}
        self.stack = AsyncExitStack()
        opened = service(
            self.reviewer,
            sink=self.sink,
            store=self.store,
            config=CONFIG,
            clock=LoopClock(self.runner.get_loop()),
        )
        self.approvals = self.runner.run(self.stack.enter_async_context(opened))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.run(asyncio.sleep(1))
        assert all(wait.done() for wait in self.waits)
        created = {each.grant_id for each in self.sink.events if isinstance(each, GrantCreated)}
        ended = [each.grant_id for each in self.sink.events if isinstance(each, GrantEnded)]
        assert sorted(ended) == sorted(created), "each grant ends once"
        assert self.runner.run(self.store.held()) == ()
        self.runner.close()

    def run_for(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule(host=HOSTS, run=RUNS, count=st.integers(1, 3))
    def ask(self, host: str, run: str, count: int) -> None:
        asked: Asking = replace(ASKING, key=replace(KEY, host=host), run=run)
        loop = self.runner.get_loop()
        self.waits += [loop.create_task(self.approvals.ask(asked)) for _ in range(count)]
        self.run_for(0.01)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.run_for(seconds)

    @rule(
        said=st.lists(
            st.tuples(
                st.sampled_from(Verdict), st.sampled_from(Scope), st.sampled_from([None, 1, 2])
            ),
            min_size=1,
            max_size=3,
        ),
        turns=st.integers(0, 4),
        which=st.integers(0, 3),
    )
    def decide(self, said: list[tuple[Verdict, Scope, int | None]], turns: int, which: int) -> None:
        """Several at once, and perhaps something else before they are through."""
        pending = self.approvals.pending()
        if not pending:
            return
        chosen = pending[which % len(pending)]
        loop = self.runner.get_loop()

        async def one(answer: Answer) -> None:
            with suppress(ApprovalError):
                await self.approvals.decide(chosen.question.approval_id, answer)

        for verdict, scope, connections in said:
            allows = verdict is Verdict.ALLOW and scope is not Scope.ONCE
            budget = Budget(connections=connections) if allows and connections else None
            answer = Answer(
                verdict=verdict,
                scope=scope,
                cancel=False,
                reviewer="anna",
                channel="fake",
                seen_join_no=chosen.joined,
                seconds=40.0 if scope is Scope.TIME else None,
                budget=budget,
            )
            self.waits.append(loop.create_task(one(answer)))  # type: ignore[arg-type]  # ends, too

        async def some() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.runner.run(some())

    @rule(run=RUNS)
    def end_run(self, run: str) -> None:
        self.approvals.end_run(run)

    @rule(which=st.integers(0, 3))
    def leave(self, which: int) -> None:
        if self.waits:
            self.waits[which % len(self.waits)].cancel()
            self.run_for(0.0)

    @rule(which=st.integers(0, 3))
    def revoke(self, which: int) -> None:
        grants = self.approvals.grants()
        if grants:
            grant = grants[which % len(grants)]
            revoking = self.approvals.revoke(grant.grant_id, reviewer="bea", channel="fake")
            self.runner.run(revoking)
            assert grant.grant_id not in {each.grant_id for each in self.approvals.grants()}

    @invariant()
    def nothing_holds_that_was_not_allowed_and_put_on_record(self) -> None:
        allowed = {
            each.approval_id
            for each in self.sink.synced
            if isinstance(each, ApprovalReviewed) and each.verdict == "allow"
        }
        created = {each.grant_id for each in self.sink.synced if isinstance(each, GrantCreated)}
        kept = self.store._grants.values()  # at this very moment
        stored = {each.grant.grant_id for each in kept if each.end is None}
        for grant in self.approvals.grants():
            assert grant.grant_id in created
            if grant.verdict is Verdict.ALLOW:
                assert grant.approval_id in allowed
                assert grant.grant_id in stored
                assert not grant.is_used_up

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        final = {Status.DENIED, Status.EXPIRED, Status.WITHDRAWN, Status.USED, Status.REVOKED}
        for record in self.runner.run(self.store.recent(limit=100)):
            approval_id = record.question.approval_id
            before = self.ended.get(approval_id)
            assert before in {None, record.status}
            if record.status in final:
                self.ended[approval_id] = record.status

    @invariant()
    def a_no_is_met_by_everybody(self) -> None:
        for grant in self.approvals.grants():
            if grant.verdict is Verdict.DENY:
                assert self.approvals.grant(grant.key, grant.run) is None
                assert self.approvals.denial(grant.key) is not None

    @invariant()
    def no_key_is_asked_twice_at_once(self) -> None:
        keys = [each.question.key for each in self.approvals.pending()]
        assert len(set(keys)) == len(keys)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
