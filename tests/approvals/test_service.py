"""The approval service under virtual time: who is asked, who is released, what is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.config import Config
from approvals.errors import AlreadyResolved, InvalidAnswer, UnknownApproval
from approvals.model import Answer, Ending, Outcome, Resolution, Scope, Status, Verdict
from otel.events import ApprovalRequested, WaiterLeft
from tests.support.approvals import (
    ASKING,
    KEY,
    ListSink,
    Scripted,
    Silent,
    answer,
    asking,
    service,
)
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from approvals.ports import Inquiry
    from approvals.service import ApprovalService

ALLOW, DENY = Verdict.ALLOW, Verdict.DENY
ONCE, SESSION = Scope.ONCE, Scope.SESSION


def yes(inquiry: Inquiry) -> Answer:
    return answer(ALLOW, ONCE, seen=inquiry.joined)


def yes_for_session(inquiry: Inquiry) -> Answer:
    return answer(ALLOW, SESSION, seen=inquiry.joined)


def no_for_session(inquiry: Inquiry) -> Answer:
    return answer(DENY, SESSION, seen=inquiry.joined, cancel=True)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_once_lets_this_request_through_and_asks_again_for_the_next() -> None:
    async def main() -> None:
        reviewer = Scripted(yes)
        async with service(reviewer) as approvals:
            first = await approvals.ask(ASKING)
            second = await approvals.ask(ASKING)
        assert (first.ending, second.ending) == (Ending.APPROVED, Ending.APPROVED)
        assert len(reviewer.asked) == 2
        assert first.approval_id != second.approval_id

    run_virtual(main())


def test_fifty_requests_for_one_key_are_one_question() -> None:
    async def main() -> list[Outcome]:
        reviewer = Scripted(yes)
        async with service(reviewer) as approvals:
            outcomes = await asyncio.gather(*(approvals.ask(ASKING) for _ in range(50)))
        assert len(reviewer.asked) == 1
        return outcomes

    outcomes = run_virtual(main())
    assert {outcome.ending for outcome in outcomes} == {Ending.APPROVED}
    assert len({outcome.approval_id for outcome in outcomes}) == 1


def test_every_part_of_the_key_makes_another_question() -> None:
    """a:443, b:443, a:443 at once are two questions; a:80 is a third."""

    async def main() -> list[str]:
        reviewer = Scripted(yes)
        hosts = (("a.example", 443), ("b.example", 443), ("a.example", 443), ("a.example", 80))
        async with service(reviewer) as approvals:
            await asyncio.gather(*(approvals.ask(asking(h, port=p)) for h, p in hosts))
        return sorted(reviewer.asked)

    assert run_virtual(main()) == [
        "https://a.example:443",
        "https://a.example:80",
        "https://b.example:443",
    ]


def test_a_session_can_not_flood_its_reviewers() -> None:
    """Made-up names would ask for ever; other sessions, and known questions, are left alone."""

    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            limit = Config().max_pending
            for number in range(limit):
                tasks.create_task(approvals.ask(asking(f"h{number}.example")))
            await asyncio.sleep(1)
            refused = await approvals.ask(asking("more.example"))
            assert refused.ending is Ending.TOO_MANY
            assert refused.retry_after_seconds == Config().retry_after_seconds
            assert not refused.allowed
            tasks.create_task(approvals.ask(asking("h0.example")))
            elsewhere = asking("more.example")
            elsewhere = replace(elsewhere, key=replace(elsewhere.key, session="s-other"))
            tasks.create_task(approvals.ask(elsewhere))
            await asyncio.sleep(1)
            assert len(reviewer.inquiries) == limit + 1

    run_virtual(main())


def test_once_covers_exactly_the_waiters_that_the_reviewer_saw() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            first = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            second = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            question = reviewer.inquiries[0].question
            assert reviewer.inquiries[0].joined == 2
            await approvals.decide(question.approval_id, answer(seen=1))
            await asyncio.sleep(1)
            assert first.result().ending is Ending.APPROVED
            assert not second.done()
            again = reviewer.inquiries[1].question
            assert again.approval_id != question.approval_id
            await approvals.decide(again.approval_id, answer(DENY))
            assert (await second).ending is Ending.DENIED

    run_virtual(main())


def test_a_yes_for_the_session_is_remembered_for_this_key_only() -> None:
    async def main() -> None:
        reviewer = Scripted(yes_for_session)
        async with service(reviewer) as approvals:
            assert approvals.grant(KEY) is None
            first = await approvals.ask(ASKING)
            second = await approvals.ask(ASKING)
            grant = approvals.grant(KEY)
            assert grant is not None
            assert grant.approval_id == first.approval_id == second.approval_id
            assert second.ending is Ending.GRANTED
            assert second.allowed
            await approvals.ask(asking("other.example"))
        assert reviewer.asked == ["https://pypi.org:443", "https://other.example:443"]

    run_virtual(main())


@pytest.mark.parametrize("cancel", [True, False])
def test_a_denial_refuses_all_waiters_and_carries_whether_to_stop_the_command(
    cancel: bool,
) -> None:
    async def main() -> None:
        reviewer = Scripted(lambda inquiry: answer(DENY, seen=1, cancel=cancel))
        async with service(reviewer) as approvals:
            outcomes = await asyncio.gather(*(approvals.ask(ASKING) for _ in range(3)))
            assert {o.ending for o in outcomes} == {Ending.DENIED}
            assert all(o.answer is not None and o.answer.cancel is cancel for o in outcomes)
            assert approvals.denial(KEY) is None

    run_virtual(main())


def test_a_denial_for_the_session_beats_a_later_approval() -> None:
    """The late yes is told who won, and the next request meets the no without a question."""

    async def main() -> None:
        reviewer = Scripted(no_for_session)
        async with service(reviewer) as approvals:
            first = await approvals.ask(ASKING)
            assert first.approval_id is not None
            with pytest.raises(AlreadyResolved) as lost:
                await approvals.decide(first.approval_id, answer(ALLOW, SESSION))
            assert lost.value.resolution.status is Status.DENIED
            second = await approvals.ask(ASKING)
            assert second.ending is Ending.DENIED_BY_SESSION
            assert approvals.denial(KEY) is not None
            assert approvals.grant(KEY) is None
        assert len(reviewer.asked) == 1

    run_virtual(main())


def test_a_connection_is_held_for_two_minutes_and_then_told_when_to_come_back() -> None:
    async def main() -> None:
        async with service(Silent()) as approvals:
            outcome = await approvals.ask(ASKING)
            assert now() == pytest.approx(120)
        assert outcome.ending is Ending.TIMEOUT
        assert outcome.approval_id is not None
        assert outcome.retry_after_seconds == 5
        assert not outcome.allowed

    run_virtual(main())


def test_the_hold_time_counts_for_each_waiter() -> None:
    async def main() -> None:
        async with service(Silent()) as approvals:
            first = asyncio.gather(approvals.ask(ASKING))
            await asyncio.sleep(100)
            await approvals.ask(ASKING)
            assert now() == pytest.approx(220)
            await first

    run_virtual(main())


def late_yes(
    scope: Scope, wait: float, config: Config | None = None
) -> Coroutine[object, object, list[str]]:
    """Time out, answer after it, come back `wait` seconds later; the endings and events."""

    async def main() -> list[str]:
        sink, reviewer = ListSink(), Silent()
        async with service(reviewer, sink=sink, config=config) as approvals:
            first = await approvals.ask(ASKING)
            inquiry = reviewer.inquiries[0]
            assert inquiry.waiting == 0
            await approvals.decide(
                inquiry.question.approval_id, answer(ALLOW, scope, seen=inquiry.joined)
            )
            await asyncio.sleep(wait)
            retries = [await approvals.ask(ASKING) for _ in range(2)]
        return [str(first.ending), *(str(o.ending) for o in retries), *sink.names]

    return main()


def test_a_late_yes_serves_one_retry_within_a_minute() -> None:
    got = run_virtual(late_yes(ONCE, 59))
    assert got[:3] == ["timeout", "approved", "timeout"]
    assert got.count("grant.created") == 1
    assert got.count("grant.ended") == 1


def test_a_late_yes_is_over_after_a_minute() -> None:
    got = run_virtual(late_yes(ONCE, 61))
    assert got[:3] == ["timeout", "timeout", "timeout"]
    assert got.count("grant.ended") == 1


def test_a_late_yes_lives_no_longer_than_any_yes_may() -> None:
    brief = Config(grant_seconds=5)
    assert run_virtual(late_yes(ONCE, 4, brief))[:3] == ["timeout", "approved", "timeout"]
    assert run_virtual(late_yes(ONCE, 6, brief))[:3] == ["timeout", "timeout", "timeout"]


def test_a_late_yes_for_the_session_serves_all_retries() -> None:
    assert run_virtual(late_yes(SESSION, 600))[:3] == ["timeout", "granted", "granted"]


def test_a_late_yes_serves_the_retry_that_joined_while_the_key_was_pressed() -> None:
    """The reviewer saw a waiter that has just left; the one that replaced it is the retry."""

    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            gone = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            gone.cancel()
            retry = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            await approvals.decide(reviewer.inquiries[0].question.approval_id, answer(seen=1))
            assert (await retry).ending is Ending.APPROVED
        assert len(reviewer.inquiries) == 1

    run_virtual(main())


def test_a_question_expires_after_fifteen_minutes_and_refuses_without_a_reviewer() -> None:
    async def main() -> None:
        sink, reviewer = ListSink(), Silent()
        async with service(reviewer, sink=sink) as approvals:
            await approvals.ask(ASKING)
            await asyncio.sleep(899 - now())
            outcome = await approvals.ask(ASKING)
            assert now() == pytest.approx(900)
            assert outcome.ending is Ending.TIMEOUT
            assert outcome.answer is None
            assert outcome.approval_id is not None
            with pytest.raises(AlreadyResolved) as lost:
                await approvals.decide(outcome.approval_id, answer())
            assert lost.value.resolution.status is Status.EXPIRED
            assert approvals.grant(KEY) is None
        assert reviewer.told == ["expired"]
        assert "grant.created" not in sink.names

    run_virtual(main())


def test_a_waiter_that_leaves_does_not_end_the_question() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            leaving = tasks.create_task(approvals.ask(ASKING))
            staying = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            leaving.cancel()
            await asyncio.sleep(1)
            inquiry = reviewer.inquiries[0]
            assert (inquiry.waiting, inquiry.joined) == (1, 2)
            await approvals.decide(inquiry.question.approval_id, answer(seen=2))
            assert (await staying).ending is Ending.APPROVED

    run_virtual(main())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(None, "client_gone", id="without-a-word"),
        pytest.param("run_ended", "run_ended", id="word"),
        pytest.param("policy_changed", "policy_changed", id="another"),
        pytest.param("\x1b[2J", "client_gone", id="unknown"),
    ],
)
def test_whoever_leaves_while_the_question_stands_is_on_record(
    message: str | None, reason: str
) -> None:
    async def main() -> None:
        sink = ListSink()
        async with service(Silent(), sink=sink) as approvals:
            task = asyncio.create_task(approvals.ask(ASKING))
            await asyncio.sleep(7)
            task.cancel(message)
            await asyncio.wait([task])
            [left] = [event for event in sink.events if isinstance(event, WaiterLeft)]
            asked = sink.events[0]
            assert isinstance(asked, ApprovalRequested)
            assert left == WaiterLeft(
                approval_id=asked.approval_id,
                connection_id=ASKING.connection,
                reason=reason,
                duration_ms=7000,
            )

    run_virtual(main())


@pytest.mark.parametrize("others", [False, True])
def test_a_question_that_a_new_policy_answers_is_withdrawn_unless_others_asked_it(
    others: bool,
) -> None:
    async def main() -> None:
        async with service(Silent()) as approvals:
            if others:
                other = asyncio.create_task(approvals.ask(replace(ASKING, run="r-2")))
                await asyncio.sleep(1)
                other.cancel()
            task = asyncio.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            task.cancel("policy_changed")
            await asyncio.sleep(1)
            assert bool(approvals.pending()) is others

    run_virtual(main())


def test_nobody_leaves_a_question_that_is_over() -> None:
    async def main() -> None:
        sink = ListSink()
        async with service(Scripted(lambda inquiry: answer(DENY)), sink=sink) as approvals:
            await approvals.ask(ASKING)
        assert "approval.waiter_left" not in sink.names

    run_virtual(main())


def test_the_question_is_withdrawn_when_the_last_run_that_asked_it_ends() -> None:
    async def main() -> None:
        sink, reviewer = ListSink(), Silent()
        async with service(reviewer, sink=sink) as approvals, asyncio.TaskGroup() as tasks:
            waits = [tasks.create_task(approvals.ask(asking(run=r))) for r in ("r-1", "r-2")]
            await asyncio.sleep(1)
            approvals.end_run("r-1")
            approvals.end_run("r-9")
            await asyncio.sleep(1)
            assert reviewer.inquiries[0].resolution is None
            approvals.end_run("r-2")
            outcomes = [await wait for wait in waits]
        assert {o.ending for o in outcomes} == {Ending.WITHDRAWN}
        assert reviewer.told == ["withdrawn"]
        assert sink.names == ["approval.requested", "approval.resolved"]

    run_virtual(main())


def test_leaving_the_service_withdraws_questions_and_ends_grants() -> None:
    async def main() -> None:
        sink, silent = ListSink(), Silent()

        async def allow_one(inquiry: Inquiry) -> Answer:
            if inquiry.question.key.host != "pypi.org":
                return await silent.review(inquiry)
            inquiry.accept()
            return yes_for_session(inquiry)

        reviewer = Scripted(yes)
        reviewer.review = allow_one  # type: ignore[method-assign]  # one reviewer, two behaviours
        async with asyncio.TaskGroup() as tasks:
            async with service(reviewer, sink=sink) as approvals:
                await approvals.ask(ASKING)
                open_one = tasks.create_task(approvals.ask(asking("other.example")))
                await asyncio.sleep(1)
            assert (await open_one).ending is Ending.WITHDRAWN
        assert (await approvals.ask(asking("late.example"))).ending is Ending.UNAVAILABLE
        assert now() == pytest.approx(1)
        assert sink.names[-2:] == ["grant.ended", "approval.resolved"]

    run_virtual(main())


def test_leaving_the_service_does_not_wait_for_a_lease() -> None:
    """Not even when the session ends between the late yes and its lease."""

    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            await approvals.ask(ASKING)
            held_until = now()
            late = asyncio.gather(
                approvals.decide(reviewer.inquiries[0].question.approval_id, answer())
            )
            await asyncio.sleep(0)
        assert (await late)[0].status is Status.GRANTED
        assert now() == held_until

    run_virtual(main())


def test_reviewers_are_asked_side_by_side_and_the_loser_is_told() -> None:
    async def main() -> None:
        slow, fast = Silent(), Scripted(yes_for_session, after=3)
        async with service(slow, fast) as approvals:
            await approvals.ask(ASKING)
            assert now() == pytest.approx(3)
            await asyncio.sleep(0)
            assert slow.told == ["granted"]
            resolution = slow.inquiries[0].resolution
            assert resolution is not None
            assert resolution.answer is not None
            assert resolution.answer.reviewer == "anna"

    run_virtual(main())


async def duel(approvals: ApprovalService, reviewer: Silent, index: int) -> int:
    """Approve and deny one question, the second some turns of the loop later: was it a yes?"""
    wait = asyncio.gather(approvals.ask(asking(f"h{index}.example")))
    while len(reviewer.inquiries) <= index:
        await asyncio.sleep(0)
    approval_id = reviewer.inquiries[index].question.approval_id

    async def after(turns: int, said: Answer) -> Resolution:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await approvals.decide(approval_id, said)

    yes, no = (0, index % 7) if index % 2 else (index % 7, 0)
    results = await asyncio.gather(
        after(yes, answer(ALLOW)), after(no, answer(DENY)), return_exceptions=True
    )
    (outcome,) = await wait
    winners = [r for r in results if isinstance(r, Resolution)]
    losers = [r for r in results if isinstance(r, AlreadyResolved)]
    assert len(winners) == len(losers) == 1
    assert losers[0].resolution == winners[0]
    assert outcome.allowed is (winners[0].status is Status.GRANTED)
    # A no that lay beside the yes when it was taken wins.
    assert not (outcome.allowed and yes == no)
    return int(outcome.allowed)


def test_a_thousand_duels_have_one_winner_each_and_every_loser_is_told() -> None:
    async def main() -> int:
        sink, reviewer = ListSink(), Silent()
        config = Config(max_new=1000)
        async with service(reviewer, sink=sink, config=config) as approvals:
            allowed = [await duel(approvals, reviewer, index) for index in range(1000)]
        assert sink.names.count("approval.resolved") == 1000
        return sum(allowed)

    assert 200 < run_virtual(main()) < 500


def test_records_are_written_before_what_they_record() -> None:
    """requested before anybody is asked; reviewed and granted synced before anybody is released."""

    async def main() -> None:
        sink = ListSink()
        seen: list[list[str]] = []

        def reply(inquiry: Inquiry) -> Answer:
            seen.append(sink.names)
            return yes_for_session(inquiry)

        async with service(Scripted(reply), sink=sink) as approvals:
            await approvals.ask(ASKING)
            assert seen == [["approval.requested"]]
            assert [e.name for e in sink.synced] == [
                "netproxy.approval.reviewed",
                "netproxy.grant.created",
            ]
            assert sink.names[-1] == "approval.resolved"

    run_virtual(main())


def test_cancelling_decide_does_not_take_the_answer_back() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            wait = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            approval_id = reviewer.inquiries[0].question.approval_id
            deciding = tasks.create_task(approvals.decide(approval_id, answer()))
            await asyncio.sleep(0)
            deciding.cancel()
            assert (await wait).ending is Ending.APPROVED

    run_virtual(main())


def test_answers_to_nothing_and_answers_that_fit_nothing_are_refused() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals, asyncio.TaskGroup() as tasks:
            wait = tasks.create_task(approvals.ask(ASKING))
            await asyncio.sleep(1)
            with pytest.raises(UnknownApproval):
                await approvals.decide("a-unknown", answer())
            with pytest.raises(InvalidAnswer):
                await approvals.decide(reviewer.inquiries[0].question.approval_id, answer(seen=2))
            wait.cancel()

    run_virtual(main())


def test_who_comes_very_late_is_told_what_the_store_knows() -> None:
    async def main() -> None:
        config = Config(remembered_resolutions=2)
        async with service(Scripted(yes), config=config) as approvals:
            outcomes = [await approvals.ask(ASKING) for _ in range(3)]
            told = []
            for outcome in outcomes:
                assert outcome.approval_id is not None
                with pytest.raises(AlreadyResolved) as late:
                    await approvals.decide(outcome.approval_id, answer())
                told.append((late.value.resolution.status, late.value.resolution.explanation))
            allowed = (Status.GRANTED, "a reviewer allowed it once")
            assert told == [(Status.USED, "it was settled before"), allowed, allowed]

    run_virtual(main())


def test_other_sessions_are_asked_themselves() -> None:
    from dataclasses import replace

    async def main() -> None:
        reviewer = Scripted(yes_for_session)
        async with service(reviewer) as approvals:
            await approvals.ask(ASKING)
            await approvals.ask(replace(ASKING, key=replace(KEY, session="s-2")))
        assert len(reviewer.asked) == 2

    run_virtual(main())


ONCE_ONLY = Config(widest_scope=ONCE)


def test_a_yes_for_more_than_is_permitted_is_refused_whoever_gives_it() -> None:
    async def main() -> None:
        silent = Silent()
        async with service(silent, config=ONCE_ONLY) as approvals:
            asked = asyncio.create_task(approvals.ask(ASKING))
            await asyncio.sleep(0.1)
            question = silent.inquiries[0].question
            with pytest.raises(InvalidAnswer, match="session"):
                await approvals.decide(question.approval_id, answer(scope=SESSION))
            assert not asked.done()
            assert approvals.grant(KEY) is None
            await approvals.decide(question.approval_id, answer(scope=ONCE))
            assert (await asked).ending is Ending.APPROVED

    run_virtual(main())


def test_a_reviewer_that_gives_it_all_the_same_counts_as_one_that_failed() -> None:
    async def main() -> None:
        generous = Scripted(lambda inquiry: answer(scope=SESSION, seen=inquiry.joined))
        async with service(generous, config=ONCE_ONLY) as approvals:
            assert (await approvals.ask(ASKING)).ending is Ending.UNAVAILABLE
            assert approvals.grant(KEY) is None

    run_virtual(main())


def test_a_no_for_the_session_is_always_possible() -> None:
    async def main() -> None:
        strict = Scripted(lambda _: answer(Verdict.DENY, SESSION))
        async with service(strict, config=ONCE_ONLY) as approvals:
            await approvals.ask(ASKING)
            assert approvals.denial(KEY) is not None

    run_virtual(main())


def test_a_yes_for_the_session_ends_when_its_time_is_over() -> None:
    async def main() -> None:
        sink = ListSink()
        reviewer = Scripted(lambda inquiry: answer(scope=SESSION, seen=inquiry.joined))
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


def test_a_reviewer_is_told_how_far_a_yes_reaches() -> None:
    async def main() -> None:
        silent = Silent()
        narrow = Config(widest_scope=ONCE, grant_seconds=60.0)
        async with service(silent, config=narrow) as approvals:
            await approvals.ask(ASKING)
        question = silent.inquiries[0].question
        assert (question.scopes, question.grant_seconds) == ((ONCE,), 60)

    run_virtual(main())


def test_leaving_does_not_wait_for_that_time_and_ends_the_grant_once() -> None:
    async def main() -> None:
        sink = ListSink()
        reviewer = Scripted(lambda inquiry: answer(scope=SESSION, seen=inquiry.joined))
        async with service(reviewer, sink=sink, config=Config(grant_seconds=3600.0)) as approvals:
            await approvals.ask(ASKING)
        assert asyncio.get_running_loop().time() < 60
        assert sink.names.count("grant.ended") == 1

    run_virtual(main())
