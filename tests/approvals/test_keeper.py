"""What comes due by itself, and what other gateways do with the same store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.config import Config
from approvals.errors import StoreUnavailable
from approvals.lifecycle import Step, next_record
from approvals.model import (
    Asking,
    ChangeKind,
    Ending,
    GrantEnd,
    Outcome,
    Record,
    Scope,
    Status,
    Swept,
    Verdict,
)
from approvals.store.memory import MemoryStore
from otel.events import ApprovalFlood
from tests.support.approvals import (
    ASKING,
    KEY,
    ListSink,
    Scripted,
    Silent,
    SlowStore,
    answer,
    asking,
    grant,
    service,
)
from tests.support.inbox import question
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals.service import ApprovalService

NAMED = replace(ASKING, session_name="ci")


def later(approvals: ApprovalService, asked: Asking) -> asyncio.Task[Outcome]:
    return asyncio.get_running_loop().create_task(approvals.ask(asked))


class Watched(MemoryStore):
    """Notes that it was opened; finds what a dead gateway left."""

    def __init__(self) -> None:
        super().__init__()
        self.sweeps = 0
        self.down = False

    async def sweep(self) -> Swept:
        self.sweeps += 1
        if self.down:
            raise StoreUnavailable("locked")
        asked = Record(question=question("a-0"), status=Status.PENDING, version=1, answer=None)
        return Swept(withdrawn=(next_record(asked, Step.WITHDRAW),), ended=(grant(),))


def test_a_gateway_that_asks_nothing_never_opens_its_store() -> None:
    async def main() -> None:
        store = Watched()
        async with service(Silent(), store=store) as approvals:
            await asyncio.sleep(0)
            approvals.end_run("r-1")
        assert store.sweeps == 0

    run_virtual(main())


def test_what_dead_gateways_left_is_ended_and_on_record_before_the_first_question() -> None:
    async def main() -> None:
        sink, store = ListSink(), Watched()
        async with service(Scripted(lambda _: answer()), sink=sink, store=store) as approvals:
            for _ in range(3):
                assert (await approvals.ask(ASKING)).ending is Ending.APPROVED
        assert store.sweeps == 1
        assert sink.names[:3] == ["approval.requested", "approval.resolved", "grant.ended"]
        assert sink.events[2].attributes()["netproxy.grant.end_reason"] == "gateway_lost"

    run_virtual(main())


def test_what_dies_later_is_found_while_anything_depends_on_the_store() -> None:
    async def main() -> None:
        store = Watched()
        async with service(Silent(), store=store) as approvals:
            asked = later(approvals, ASKING)
            await asyncio.sleep(95)
            assert store.sweeps == 4
            asked.cancel()
            approvals.end_run("r-1")
            await asyncio.sleep(600)
            assert store.sweeps <= 5

    run_virtual(main())


def test_a_store_that_does_not_open_is_a_no_and_is_tried_again() -> None:
    async def main() -> None:
        store = Watched()
        store.down = True
        async with service(Scripted(lambda _: answer()), store=store) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
            store.down = False
            assert (await approvals.ask(ASKING)).ending is Ending.APPROVED

    run_virtual(main())


def test_a_storm_is_one_record_with_its_number() -> None:
    async def main() -> None:
        sink = ListSink()
        config = Config(max_pending=2)
        async with service(Silent(), sink=sink, config=config) as approvals:
            watching = approvals.changes()
            waits = [later(approvals, asking(f"h{number}.example")) for number in range(100)]
            await asyncio.sleep(1)
            assert [wait.done() for wait in waits].count(True) == 98
            assert not any(isinstance(event, ApprovalFlood) for event in sink.events)
            kinds = [(await anext(watching)).kind for _ in range(3)]
            assert kinds.count(ChangeKind.FLOOD) == 1
            await asyncio.sleep(60)
            storms = [event for event in sink.events if isinstance(event, ApprovalFlood)]
            assert storms == [ApprovalFlood(limit="pending", refused=98)]
            await approvals.ask(asking("once.more"))
        storms = [event for event in sink.events if isinstance(event, ApprovalFlood)]
        assert [storm.refused for storm in storms] == [98, 1]

    run_virtual(main())


def test_two_gateways_of_one_session_ask_one_question_and_its_answer_serves_both() -> None:
    async def main() -> None:
        store, here, there = SlowStore(), Silent(), Silent()
        async with service(here, store=store) as ours, service(there, store=store) as theirs:
            first = later(ours, NAMED)
            await asyncio.sleep(1)
            second = later(theirs, NAMED)
            await asyncio.sleep(1)
            assert (len(here.inquiries), len(there.inquiries)) == (1, 0)
            (pending,) = theirs.pending()
            assert pending.question == here.inquiries[0].question
            said = answer(Verdict.ALLOW, Scope.SESSION, seen=0)
            await ours.decide(pending.question.approval_id, said)
            assert (await first).ending is Ending.APPROVED
            assert (await second).ending is Ending.APPROVED
            assert theirs.grant(KEY) == ours.grant(KEY)

    run_virtual(main())


def test_an_answer_for_the_requests_of_one_gateway_lets_nobody_through_elsewhere() -> None:
    async def main() -> None:
        store, here, there = SlowStore(), Silent(), Silent()
        async with service(here, store=store) as ours, service(there, store=store) as theirs:
            first = later(ours, NAMED)
            await asyncio.sleep(1)
            second = later(theirs, NAMED)
            await asyncio.sleep(1)
            await ours.decide(here.inquiries[0].question.approval_id, answer(seen=1))
            assert (await first).ending is Ending.APPROVED
            await asyncio.sleep(1)
            assert not second.done()
            assert len(there.inquiries) == 1
            await theirs.decide(there.inquiries[0].question.approval_id, answer(Verdict.DENY))
            assert (await second).ending is Ending.DENIED

    run_virtual(main())


def test_the_other_gateway_may_answer_and_a_no_serves_both() -> None:
    async def main() -> None:
        store, here = SlowStore(), Silent()
        async with service(here, store=store) as ours, service(Silent(), store=store) as theirs:
            first = later(ours, NAMED)
            await asyncio.sleep(1)
            second = later(theirs, NAMED)
            await asyncio.sleep(1)
            no = answer(Verdict.DENY, Scope.SESSION, cancel=True)
            await theirs.decide(here.inquiries[0].question.approval_id, no)
            for wait in (first, second):
                outcome = await wait
                assert outcome.ending is Ending.DENIED
                assert outcome.answer == no
            assert ours.denial(KEY) is not None
            assert here.told == ["denied"]

    run_virtual(main())


@pytest.mark.parametrize("scope", [Scope.TIME, Scope.SESSION])
def test_a_grant_that_is_ended_elsewhere_holds_here_no_longer(scope: Scope) -> None:
    async def main() -> None:
        store, sink, cut = SlowStore(), ListSink(), []
        seconds = 600.0 if scope is Scope.TIME else None
        yes = replace(answer(scope=scope, seen=1), seconds=seconds)
        async with service(Scripted(lambda _: yes), sink=sink, store=store) as approvals:
            approvals.on_ended(KEY.session, lambda ended, end: cut.append((ended.grant_id, end)))
            await approvals.ask(ASKING)
            (held,) = approvals.grants()
            await store.end_grant(held, GrantEnd.REVOKED)
            await asyncio.sleep(0.6)
            assert approvals.grant(KEY) is None
            assert cut == [(held.grant_id, GrantEnd.REVOKED)]
            assert sink.names.count("grant.ended") == 1

    run_virtual(main())


def test_a_named_session_goes_on_after_a_restart_and_hears_of_new_answers() -> None:
    async def main() -> None:
        store = SlowStore()
        async with service(Scripted(lambda _: answer(scope=Scope.SESSION)), store=store) as first:
            session = await first.resume("ci")
            key = replace(KEY, session=session)
            await first.ask(replace(NAMED, key=key))
        async with service(Silent(), store=store) as second:
            assert second.grant(key) is None
            assert await second.resume("ci") == session
            assert second.grant(key) is not None
            async with service(
                Scripted(lambda _: answer(scope=Scope.SESSION)), store=store
            ) as third:
                await third.resume("ci")
                other = replace(key, port=80)
                await third.ask(replace(NAMED, key=other))
                await asyncio.sleep(0.6)
                assert second.grant(other) == third.grant(other)

    run_virtual(main())


def test_a_session_without_a_name_leaves_nothing() -> None:
    async def main() -> None:
        store = SlowStore()
        async with service(Scripted(lambda _: answer(scope=Scope.SESSION)), store=store) as one:
            await one.ask(ASKING)
            assert len(await store.held()) == 1
        assert await store.held() == ()

    run_virtual(main())
