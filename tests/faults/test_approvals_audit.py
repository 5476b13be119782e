"""The audit trail is taken away, one kind of record at a time: a yes becomes a no, a no stays."""

from __future__ import annotations

import asyncio

import pytest

from approvals.model import Ending, Outcome, Scope, Status, Verdict
from tests.support.approvals import ASKING, KEY, ListSink, Scripted, Silent, answer, service
from tests.support.virtual_time import run_virtual


def asked(sink: ListSink, verdict: Verdict, scope: Scope) -> tuple[Outcome, bool, bool]:
    """The outcome, and whether the session remembers a yes or a no."""

    async def main() -> tuple[Outcome, bool, bool]:
        reviewer = Scripted(lambda _: answer(verdict, scope, cancel=True))
        async with service(reviewer, sink=sink) as approvals:
            outcome = await approvals.ask(ASKING)
            grant, denial = approvals.grant(KEY), approvals.denial(KEY)
        return outcome, grant is not None, denial is not None

    return run_virtual(main())


def test_a_question_that_can_not_be_recorded_is_not_put() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer, sink=ListSink("*")) as approvals:
            outcome = await approvals.ask(ASKING)
        assert outcome.ending is Ending.AUDIT_UNAVAILABLE
        assert outcome.approval_id is None
        assert reviewer.inquiries == []

    run_virtual(main())


@pytest.mark.parametrize("scope", [Scope.ONCE, Scope.RUN, Scope.SESSION])
def test_a_yes_that_can_not_be_recorded_has_no_effect(scope: Scope) -> None:
    sink = ListSink("netproxy.approval.reviewed")
    outcome, granted, _ = asked(sink, Verdict.ALLOW, scope)
    assert outcome.ending is Ending.AUDIT_UNAVAILABLE
    assert not granted
    assert sink.names == ["approval.requested", "approval.resolved"]


def test_a_grant_that_can_not_be_recorded_is_taken_back() -> None:
    sink = ListSink("netproxy.grant.created")
    outcome, granted, _ = asked(sink, Verdict.ALLOW, Scope.SESSION)
    assert outcome.ending is Ending.AUDIT_UNAVAILABLE
    assert not granted
    resolved = sink.events[-1].attributes()
    assert resolved["netproxy.approval.state"] == "revoked"


@pytest.mark.parametrize(
    "broken", ["netproxy.approval.reviewed", "netproxy.grant.created", "netproxy.approval.resolved"]
)
def test_a_no_holds_whatever_can_not_be_recorded(broken: str) -> None:
    outcome, _, denied = asked(ListSink(broken), Verdict.DENY, Scope.SESSION)
    assert outcome.ending is Ending.DENIED
    assert outcome.answer is not None
    assert outcome.answer.cancel
    assert denied


def test_a_lease_whose_use_can_not_be_recorded_does_not_serve() -> None:
    async def main() -> None:
        sink, reviewer = ListSink(), Silent()
        async with service(reviewer, sink=sink) as approvals:
            await approvals.ask(ASKING)
            approval_id = reviewer.inquiries[0].question.approval_id
            await approvals.decide(approval_id, answer())
            sink.broken.add("netproxy.grant.ended")
            outcome = await approvals.ask(ASKING)
        assert outcome.ending is Ending.AUDIT_UNAVAILABLE

    run_virtual(main())


def test_the_reviewer_who_allowed_is_told_that_it_had_no_effect() -> None:
    async def main() -> None:
        sink, reviewer = ListSink("netproxy.approval.reviewed"), Silent()
        async with service(reviewer, sink=sink) as approvals, asyncio.TaskGroup() as tasks:
            wait = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            approval_id = reviewer.inquiries[0].question.approval_id
            resolution = await approvals.decide(approval_id, answer())
            assert resolution.status is Status.DENIED
            assert resolution.explanation == "the answer could not be recorded"
            await wait

    run_virtual(main())
