"""How far a yes reaches, and how long it lives, is not the reviewer's alone to say."""

from __future__ import annotations

import asyncio

import pytest

from approvals.config import Config
from approvals.errors import InvalidAnswer
from approvals.model import Ending, Scope, Verdict
from tests.support.approvals import ASKING, KEY, ListSink, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual

ONCE_ONLY = Config(widest_scope=Scope.ONCE)


def test_a_yes_for_more_than_is_permitted_is_refused_whoever_gives_it() -> None:
    async def main() -> None:
        silent = Silent()
        async with service(silent, config=ONCE_ONLY) as approvals:
            asked = asyncio.create_task(approvals.ask(ASKING))
            await asyncio.sleep(0.1)
            question = silent.inquiries[0].question
            with pytest.raises(InvalidAnswer, match="session"):
                await approvals.decide(question.approval_id, answer(scope=Scope.SESSION))
            assert not asked.done()
            assert approvals.grant(KEY) is None
            await approvals.decide(question.approval_id, answer(scope=Scope.ONCE))
            assert (await asked).ending is Ending.APPROVED

    run_virtual(main())


def test_a_reviewer_that_gives_it_all_the_same_counts_as_one_that_failed() -> None:
    async def main() -> None:
        generous = Scripted(lambda inquiry: answer(scope=Scope.SESSION, seen=inquiry.joined))
        async with service(generous, config=ONCE_ONLY) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
            assert approvals.grant(KEY) is None

    run_virtual(main())


def test_a_no_for_the_session_is_always_possible() -> None:
    async def main() -> None:
        strict = Scripted(lambda _: answer(Verdict.DENY, Scope.SESSION))
        async with service(strict, config=ONCE_ONLY) as approvals:
            await approvals.ask(ASKING)
            assert approvals.denial(KEY) is not None

    run_virtual(main())


def test_a_yes_for_the_session_ends_when_its_time_is_over() -> None:
    async def main() -> None:
        sink = ListSink()
        reviewer = Scripted(lambda inquiry: answer(scope=Scope.SESSION, seen=inquiry.joined))
        async with service(reviewer, sink=sink, config=Config(grant_seconds=60.0)) as approvals:
            await approvals.ask(ASKING)
            await asyncio.sleep(59.0)
            assert approvals.grant(KEY) is not None
            await asyncio.sleep(2.0)
            assert approvals.grant(KEY) is None
            (ended,) = [each for each in sink.events if each.name == "netproxy.grant.ended"]
            assert getattr(ended, "end_reason", None) == "expired"
            await approvals.ask(ASKING)
        assert len(reviewer.asked) == 2

    run_virtual(main())


def test_leaving_does_not_wait_for_that_time_and_ends_the_grant_once() -> None:
    async def main() -> None:
        sink = ListSink()
        reviewer = Scripted(lambda inquiry: answer(scope=Scope.SESSION, seen=inquiry.joined))
        async with service(reviewer, sink=sink, config=Config(grant_seconds=3600.0)) as approvals:
            await approvals.ask(ASKING)
        assert asyncio.get_running_loop().time() < 60
        assert sink.names.count("grant.ended") == 1

    run_virtual(main())
