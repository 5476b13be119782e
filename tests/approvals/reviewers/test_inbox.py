"""A question that nobody can see is not taken."""

from __future__ import annotations

import asyncio

from approvals.model import Ending, Verdict
from approvals.presence import Presence
from approvals.reviewers.inbox import InboxReviewer
from otel.events import ApprovalRequested
from tests.support.approvals import ASKING, ListSink, Scripted, answer, service
from tests.support.virtual_time import VirtualClock, run_virtual


def test_without_a_reader_it_is_unavailable_after_the_delivery_time() -> None:
    async def main() -> None:
        async with service(InboxReviewer(Presence(VirtualClock()), awaits_arrival=True)) as running:
            outcome = await running.ask(ASKING)
        assert outcome.ending is Ending.UNAVAILABLE
        assert asyncio.get_running_loop().time() == 10

    run_virtual(main())


def test_a_reader_who_comes_in_time_takes_it() -> None:
    async def main() -> None:
        clock = VirtualClock()
        presence = Presence(clock)
        sink = ListSink()
        async with service(
            InboxReviewer(presence, awaits_arrival=True), clock=clock, sink=sink
        ) as running:
            asking = asyncio.gather(running.ask(ASKING))
            await asyncio.sleep(9)
            with presence.attached():
                await asyncio.sleep(30)
                asked = sink.events[0]
                assert isinstance(asked, ApprovalRequested)
                await running.decide(asked.approval_id, answer(Verdict.DENY))
            (outcome,) = await asking
        assert outcome.ending is Ending.DENIED

    run_virtual(main())


def test_where_nobody_is_expected_it_is_unavailable_at_once_and_no_failure() -> None:
    async def main() -> None:
        sink = ListSink()
        reviewer = InboxReviewer(Presence(VirtualClock()), awaits_arrival=False)
        async with service(reviewer, sink=sink) as running:
            outcome = await running.ask(ASKING)
        assert outcome.ending is Ending.UNAVAILABLE
        assert "netproxy approvals watch" in outcome.explanation
        assert asyncio.get_running_loop().time() == 0
        assert "reviewer.failed" not in sink.names

    run_virtual(main())


def test_whoever_else_is_asked_decides_whether_it_stands() -> None:
    async def main() -> None:
        reviewer = InboxReviewer(Presence(VirtualClock()), awaits_arrival=False)
        async with service(reviewer, Scripted(lambda _: answer(), after=60)) as running:
            assert (await running.ask(ASKING)).ending is Ending.APPROVED

    run_virtual(main())
