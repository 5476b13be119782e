"""The store is taken away: what needed it is denied, and nothing hangs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from approvals.config import Config
from approvals.errors import AlreadyResolved, StoreUnavailable
from approvals.lifecycle import Step, after_grant, next_record
from approvals.model import (
    Answer,
    Change,
    Ending,
    Grant,
    GrantEnd,
    Outcome,
    Question,
    Record,
    Scope,
    Status,
    Verdict,
)
from approvals.store.memory import MemoryStore
from tests.support.approvals import ASKING, KEY, ListSink, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.ports import Store


class Broken(MemoryStore):
    """Fails when a record is to reach one of `statuses`; `pending` is where it begins."""

    def __init__(self, *statuses: Status) -> None:
        super().__init__()
        self.statuses = statuses

    async def add(self, record: Record) -> Record:
        self._check(record)
        return await super().add(record)

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        self._check(new)
        return await super().replace(old, new, grant=grant)

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        record = await self.find(grant.approval_id)
        assert record is not None
        self._check(after_grant(record, end))
        return await super().end_grant(grant, end)

    def _check(self, record: Record) -> None:
        if record.status in self.statuses:
            raise StoreUnavailable("disk full")


class Overtaken(MemoryStore):
    """Another gateway settles each question a moment before we do."""

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        await super().replace(old, next_record(old, Step.DENY))
        return await super().replace(old, new, grant=grant)


class Buggy(MemoryStore):
    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        raise ZeroDivisionError


ALWAYS = Config(widest_scope=Scope.ALWAYS)


class Pen:
    async def write(self, question: Question, answer: Answer) -> None:
        """It always can."""


def given(verdict: Verdict, scope: Scope) -> Answer:
    seconds = 60.0 if scope is Scope.TIME else None
    return replace(answer(verdict, scope, cancel=True), seconds=seconds)


def asked(
    store: Store, verdict: Verdict = Verdict.ALLOW, scope: Scope = Scope.ONCE
) -> tuple[Outcome, bool]:
    """The outcome, and whether the session remembers a yes."""

    async def main() -> tuple[Outcome, bool]:
        reviewer = Scripted(lambda _: given(verdict, scope))
        async with service(reviewer, store=store, config=ALWAYS, rules=Pen()) as approvals:
            outcome = await approvals.ask(ASKING)
            return outcome, approvals.grant(KEY, ASKING.run) is not None

    return run_virtual(main())


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(
    "store",
    [partial(Broken, Status.PENDING), partial(Broken, Status.GRANTED), Overtaken, Buggy],
    ids=["no new records", "no grants", "settled elsewhere", "bug"],
)
def test_without_its_store_a_yes_is_a_no_that_cancels_nothing(
    store: Callable[[], Store], scope: Scope
) -> None:
    outcome, granted = asked(store(), scope=scope)
    assert outcome.ending is Ending.UNAVAILABLE
    assert outcome.answer is None
    assert not granted


@pytest.mark.parametrize("scope", [Scope.ONCE, Scope.SESSION, Scope.ALWAYS])
def test_without_its_store_a_no_is_still_a_no(scope: Scope) -> None:
    outcome, _ = asked(Broken(Status.DENIED), Verdict.DENY, scope)
    assert outcome.ending is Ending.DENIED
    assert outcome.answer is not None
    assert outcome.answer.cancel


def test_a_no_that_came_second_to_another_gateway_is_a_no_that_cancels_nothing() -> None:
    outcome, _ = asked(Overtaken(), Verdict.DENY)
    assert outcome.ending is Ending.UNAVAILABLE
    assert outcome.answer is None


def test_a_grant_that_can_neither_be_recorded_nor_taken_back_is_a_no() -> None:
    async def main() -> None:
        sink = ListSink("netproxy.grant.created")
        reviewer = Scripted(lambda _: answer(Verdict.ALLOW, Scope.SESSION))
        async with service(reviewer, sink=sink, store=Broken(Status.REVOKED)) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
            assert approvals.grant(KEY) is None

    run_virtual(main())


@pytest.mark.parametrize("store", [Broken(Status.USED), Broken(Status.EXPIRED)])
def test_losing_the_store_after_the_answer_changes_nothing(store: Store) -> None:
    outcome, _ = asked(store)
    assert outcome.ending is Ending.APPROVED


def test_an_expiry_that_can_not_be_stored_still_ends_the_question() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer, store=Broken(Status.EXPIRED)) as approvals:
            await approvals.ask(ASKING)
            await asyncio.sleep(800)
            assert reviewer.told == ["withdrawn"]

    run_virtual(main())


def test_who_decides_without_a_store_is_told() -> None:
    async def main() -> None:
        reviewer = Silent()
        store = Broken(Status.GRANTED)
        async with service(reviewer, store=store) as approvals, asyncio.TaskGroup() as tasks:
            wait = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            approval_id = reviewer.inquiries[0].question.approval_id
            with pytest.raises(StoreUnavailable):
                await approvals.decide(approval_id, answer())
            with pytest.raises(AlreadyResolved):
                await approvals.decide(approval_id, answer())
            assert (await wait).ending is Ending.UNAVAILABLE

    run_virtual(main())


def test_a_session_grant_that_can_not_be_ended_in_the_store_ends_anyway() -> None:
    outcome, granted = asked(Broken(Status.EXPIRED), scope=Scope.SESSION)
    assert outcome.ending is Ending.APPROVED
    assert granted


def test_a_question_whose_end_could_not_be_stored_is_put_anew_and_to_reviewers() -> None:
    """What the store still has as open was settled here: nobody waits for its answer."""

    async def main() -> None:
        store = Broken(Status.GRANTED)
        reviewer = Scripted(lambda _: answer())
        async with service(reviewer, store=store) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
            store.statuses = ()
            assert (await approvals.ask(ASKING)).ending is Ending.APPROVED
        assert len(reviewer.asked) == 2

    run_virtual(main())


def test_revoking_without_a_store_holds_here_and_is_stored_when_that_is_possible() -> None:
    async def main() -> None:
        store = Broken()
        yes = answer(scope=Scope.SESSION)
        async with service(Scripted(lambda _: yes), store=store) as approvals:
            await approvals.ask(ASKING)
            (grant,) = approvals.grants()
            store.statuses = (Status.REVOKED,)
            await approvals.revoke(grant.grant_id, reviewer="bea", channel="web")
            assert approvals.grant(KEY) is None
            assert len(await store.held()) == 1
            await asyncio.sleep(2)
            assert len(await store.held()) == 1
            store.statuses = ()
            await asyncio.sleep(1)
            assert await store.held() == ()

    run_virtual(main())


def test_a_store_whose_feed_is_broken_keeps_no_grant_from_expiring() -> None:
    class Unreadable(MemoryStore):
        async def changes(self, after: int, *, limit: int) -> tuple[Change, ...]:
            raise ZeroDivisionError

    async def main() -> None:
        yes = given(Verdict.ALLOW, Scope.TIME)
        async with service(Scripted(lambda _: yes), store=Unreadable()) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.APPROVED
            await asyncio.sleep(61)
            assert approvals.grant(KEY) is None
            assert (await approvals.ask(ASKING)).ending is Ending.APPROVED

    run_virtual(main())


def test_a_gateway_that_fails_to_close_what_a_grant_carried_goes_on() -> None:
    async def main() -> None:
        yes = given(Verdict.ALLOW, Scope.TIME)

        def fails(*_: object) -> None:
            raise RuntimeError

        store = MemoryStore()
        async with service(Scripted(lambda _: yes), store=store) as approvals:
            approvals.on_ended(KEY.session, fails)
            for _ in range(2):
                assert (await approvals.ask(ASKING)).ending is Ending.APPROVED
                await asyncio.sleep(61)
                assert approvals.grant(KEY) is None
                assert await store.held() == ()

    run_virtual(main())
