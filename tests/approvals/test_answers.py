"""Every answer that can be given: whom it releases, what it leaves, how long that holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.config import Config
from approvals.errors import (
    AlreadyResolved,
    InvalidAnswer,
    RuleRefused,
    StaleAnswer,
    TooWide,
    UnknownApproval,
    UnknownGrant,
)
from approvals.model import (
    Answer,
    Asking,
    Budget,
    ChangeKind,
    Ending,
    GrantEnd,
    Outcome,
    Question,
    Resolution,
    Scope,
    Status,
    Verdict,
)
from tests.support.approvals import (
    ASKING,
    KEY,
    ListSink,
    Scripted,
    Silent,
    SlowStore,
    answer,
    asking,
    service,
)
from tests.support.virtual_time import run_virtual

if TYPE_CHECKING:
    from approvals.service import ApprovalService

ALLOW, DENY = Verdict.ALLOW, Verdict.DENY
OTHER_RUN = replace(ASKING, run="r-2", connection="c-2")


def later(approvals: ApprovalService, asked: Asking = ASKING) -> asyncio.Task[Outcome]:
    return asyncio.get_running_loop().create_task(approvals.ask(asked))


class Pen:
    """Writes rules, or says why not."""

    def __init__(self, refuses: str | None = None, takes: float = 0.0) -> None:
        self.refuses = refuses
        self.takes = takes
        self.written: list[tuple[Question, Answer]] = []

    async def write(self, question: Question, answer: Answer) -> None:
        await asyncio.sleep(self.takes)
        if self.refuses is not None:
            raise RuleRefused(self.refuses)
        self.written.append((question, answer))


def test_a_yes_for_the_run_lets_that_run_through_until_it_ends_and_no_other() -> None:
    async def main() -> None:
        reviewer, sink = Silent(), ListSink()
        async with service(reviewer, sink=sink) as approvals:
            first = later(approvals)
            await asyncio.sleep(1)
            other = later(approvals, OTHER_RUN)
            await asyncio.sleep(1)
            yes = answer(scope=Scope.RUN, seen=2)
            await approvals.decide(reviewer.inquiries[0].question.approval_id, yes)
            assert (await first).ending is Ending.APPROVED
            await asyncio.sleep(1)
            assert not other.done()
            assert (await approvals.ask(ASKING)).ending is Ending.GRANTED
            assert approvals.grant(KEY, "r-1") is not None
            assert approvals.grant(KEY, "r-2") is None
            approvals.end_run("r-1")
            assert approvals.grant(KEY, "r-1") is None
            other.cancel()
        ends = [each for each in sink.events if each.name == "netproxy.grant.ended"]
        assert [each.attributes()["netproxy.grant.end_reason"] for each in ends] == ["run_ended"]

    run_virtual(main())


def test_a_yes_for_a_time_holds_so_long_from_the_answer_on() -> None:
    """Asked at 0, allowed for five minutes at three: it ends at eight."""

    async def main() -> None:
        reviewer, ended = Silent(), []
        async with service(reviewer) as approvals:
            approvals.on_ended("s-1", lambda grant, end: ended.append((grant.approval_id, end)))
            held = later(approvals, replace(ASKING, hold_seconds=600.0))
            await asyncio.sleep(180)
            yes = replace(answer(scope=Scope.TIME), seconds=300.0)
            approval_id = reviewer.inquiries[0].question.approval_id
            await approvals.decide(approval_id, yes)
            assert (await held).ending is Ending.APPROVED
            (grant,) = approvals.grants()
            assert grant.expires_at == grant.created_at + 300
            await asyncio.sleep(299)
            assert approvals.grant(KEY) is not None
            await asyncio.sleep(1.1)
            assert approvals.grant(KEY) is None
            assert ended == [(approval_id, GrantEnd.EXPIRED)]

    run_virtual(main())


def test_a_connection_is_held_as_long_as_its_listener_says() -> None:
    async def main() -> None:
        async with service(Silent()) as approvals:
            outcome = await approvals.ask(replace(ASKING, hold_seconds=7.0))
            assert asyncio.get_running_loop().time() == pytest.approx(7)
            assert outcome.ending is Ending.TIMEOUT
            assert "within 7 s; a yes within the next 15 min" in outcome.explanation

    run_virtual(main())


def test_a_late_yes_waits_for_the_run_that_asked() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            await approvals.ask(ASKING)
            await approvals.decide(reviewer.inquiries[0].question.approval_id, answer())
            other = later(approvals, OTHER_RUN)
            await asyncio.sleep(1)
            assert not other.done()
            assert (await approvals.ask(ASKING)).ending is Ending.APPROVED
            other.cancel()

    run_virtual(main())


ALWAYS = Config(widest_scope=Scope.ALWAYS)


def always(
    said: Answer, pen: Pen | None, sink: ListSink | None = None
) -> tuple[Outcome, Resolution, bool, bool]:
    """The outcome, the resolution, and whether a yes or a no is remembered."""

    async def main() -> tuple[Outcome, Resolution, bool, bool]:
        reviewer = Silent()
        async with service(reviewer, config=ALWAYS, rules=pen, sink=sink) as approvals:
            held = later(approvals)
            await asyncio.sleep(1)
            approval_id = reviewer.inquiries[0].question.approval_id
            resolution = await approvals.decide(approval_id, said)
            known = approvals.grant(KEY) is not None, approvals.denial(KEY) is not None
            return await held, resolution, *known

    return run_virtual(main())


def test_a_yes_for_always_is_written_and_holds_until_the_rule_does() -> None:
    pen = Pen()
    outcome, resolution, granted, _ = always(answer(scope=Scope.ALWAYS), pen)
    assert (outcome.ending, resolution.status) == (Ending.APPROVED, Status.GRANTED)
    assert granted
    ((question, said),) = pen.written
    assert (question.key, said.scope) == (KEY, Scope.ALWAYS)


def test_a_yes_for_always_that_can_not_be_written_is_a_no_that_says_why() -> None:
    sink = ListSink()
    outcome, resolution, granted, _ = always(answer(scope=Scope.ALWAYS), Pen("read-only"), sink)
    assert (outcome.ending, resolution.status) == (Ending.UNAVAILABLE, Status.REVOKED)
    assert outcome.explanation == "the rule could not be written (read-only)"
    assert not granted
    assert "grant.created" not in sink.names


def test_a_no_for_always_that_can_not_be_written_holds_for_the_session() -> None:
    said = answer(DENY, Scope.ALWAYS, cancel=True)
    outcome, resolution, _, denied = always(said, Pen("read-only"))
    assert (outcome.ending, resolution.status) == (Ending.DENIED, Status.DENIED)
    assert "this session only: the rule could not be written (read-only)" in outcome.explanation
    assert denied


def test_a_no_for_always_is_written_too() -> None:
    pen = Pen()
    outcome, _, _, denied = always(answer(DENY, Scope.ALWAYS), pen)
    assert (outcome.ending, denied, len(pen.written)) == (Ending.DENIED, True, 1)


@pytest.mark.parametrize("no", [Scope.SESSION, Scope.ALWAYS])
def test_a_lasting_no_that_comes_while_a_yes_is_written_beats_it(no: Scope) -> None:
    async def main() -> None:
        reviewer, pen, store, sink = Silent(), Pen(takes=1.0), SlowStore(), ListSink()
        approving = service(reviewer, config=ALWAYS, rules=pen, store=store, sink=sink)
        async with approving as approvals:
            held = later(approvals)
            await asyncio.sleep(1)
            approval_id = reviewer.inquiries[0].question.approval_id
            yes = asyncio.gather(approvals.decide(approval_id, answer(scope=Scope.ALWAYS)))
            await asyncio.sleep(0.5)
            denied = await approvals.decide(approval_id, answer(DENY, no, cancel=True))
            assert denied.status is Status.REVOKED
            assert (await yes)[0] == denied
            outcome = await held
            assert outcome.ending is Ending.DENIED_BY_SESSION
            assert outcome.answer is not None
            assert outcome.answer.cancel
            assert approvals.grant(KEY) is None
            assert approvals.denial(KEY) is not None
            assert [each.verdict for each in approvals.grants()] == [DENY]
            assert await store.held() == ()

    run_virtual(main())


def test_a_budget_of_connections_is_for_the_first_of_those_who_wait() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            held = [later(approvals) for _ in range(5)]
            await asyncio.sleep(1)
            yes = replace(answer(scope=Scope.SESSION, seen=5), budget=Budget(connections=3))
            await approvals.decide(reviewer.inquiries[0].question.approval_id, yes)
            await asyncio.sleep(1)
            assert [each.done() for each in held] == [True] * 3 + [False] * 2
            assert approvals.grant(KEY) is None
            assert len(reviewer.inquiries) == 2
            await approvals.decide(reviewer.inquiries[1].question.approval_id, answer(DENY, seen=2))
            assert [(await each).ending for each in held[3:]] == [Ending.DENIED] * 2

    run_virtual(main())


def test_what_is_remembered_counts_who_it_lets_through() -> None:
    async def main() -> None:
        yes = replace(answer(scope=Scope.SESSION), budget=Budget(connections=4))
        async with service(Scripted(lambda _: yes)) as approvals:
            first = await approvals.ask(ASKING)
            assert (await approvals.ask(ASKING)).ending is Ending.GRANTED
            assert first.approval_id is not None
            assert approvals.spend(first.approval_id, connections=1)
            (grant,) = approvals.grants()
            assert grant.used_connections == 3
            assert approvals.spend(first.approval_id, connections=1)
            assert not approvals.spend(first.approval_id, connections=1)
            assert approvals.grants() == ()

    run_virtual(main())


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(scope=Scope.TIME), InvalidAnswer),
        (replace(answer(scope=Scope.SESSION), seconds=60.0), InvalidAnswer),
        (replace(answer(scope=Scope.TIME), seconds=0.0), InvalidAnswer),
        (replace(answer(scope=Scope.TIME), seconds=float("nan")), InvalidAnswer),
        (replace(answer(scope=Scope.TIME), seconds=float("inf")), InvalidAnswer),
        (replace(answer(scope=Scope.TIME), seconds=86_401.0), TooWide),
        (answer(scope=Scope.ALWAYS), TooWide),
        (answer(DENY, Scope.ALWAYS), TooWide),
        (answer(DENY, Scope.RUN), TooWide),
        (replace(answer(DENY, Scope.TIME), seconds=60.0), TooWide),
        (replace(answer(), budget=Budget(connections=1)), InvalidAnswer),
        (replace(answer(DENY, Scope.SESSION), budget=Budget(connections=1)), InvalidAnswer),
        (replace(answer(scope=Scope.SESSION), budget=Budget(connections=0)), InvalidAnswer),
        (replace(answer(scope=Scope.SESSION), budget=Budget(bytes=-1)), InvalidAnswer),
        (replace(answer(), seen_version=2), StaleAnswer),
        (replace(answer(), seen_digest="0" * 64), StaleAnswer),
        (answer(seen=2), InvalidAnswer),
    ],
)
def test_an_answer_that_fits_nothing_leaves_the_question_open(
    said: Answer, error: type[InvalidAnswer]
) -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            held = later(approvals)
            await asyncio.sleep(1)
            question = reviewer.inquiries[0].question
            with pytest.raises(error) as refused:
                await approvals.decide(question.approval_id, said)
            assert type(refused.value) is error
            assert not held.done()
            assert (approvals.grants(), approvals.denial(KEY)) == ((), None)
            right = replace(answer(), seen_version=1, seen_digest=question.digest)
            await approvals.decide(question.approval_id, right)
            assert (await held).ending is Ending.APPROVED

    run_virtual(main())


def test_a_group_is_answered_one_by_one_inside() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            hosts = [later(approvals, asking(f"{name}.example")) for name in "abc"]
            await asyncio.sleep(1)
            ids = [each.question.approval_id for each in approvals.pending()]
            await approvals.decide(ids[1], answer(DENY))
            answers = {each: answer(scope=Scope.SESSION) for each in (*ids, "a-unknown")}
            answers[ids[2]] = answer(seen=9)
            results = await approvals.decide_all(answers)
            assert isinstance(results[ids[0]], Resolution)
            assert isinstance(results[ids[1]], AlreadyResolved)
            assert isinstance(results[ids[2]], InvalidAnswer)
            assert isinstance(results["a-unknown"], UnknownApproval)
            assert [each.done() for each in hosts] == [True, True, False]

    run_virtual(main())


def test_a_grant_is_listed_and_taken_back_with_all_that_it_carries() -> None:
    async def main() -> None:
        sink, store, ended = ListSink(), SlowStore(), []
        yes = answer(scope=Scope.SESSION)
        async with service(Scripted(lambda _: yes), sink=sink, store=store) as approvals:
            approvals.on_ended("s-1", lambda grant, end: ended.append((grant.grant_id, end)))
            await approvals.ask(ASKING)
            (grant,) = approvals.grants()
            taken = await approvals.revoke(
                grant.grant_id, reviewer="bea", channel="web", comment="done"
            )
            assert taken == grant
            assert ended == [(grant.grant_id, GrantEnd.REVOKED)]
            assert approvals.grant(KEY) is None
            story = await approvals.story(grant.approval_id)
            assert story is not None
            assert story.record.status is Status.REVOKED
            assert await store.held() == ()
            with pytest.raises(UnknownGrant):
                await approvals.revoke(grant.grant_id, reviewer="bea", channel="web")
        ends = [each for each in sink.synced if each.name == "netproxy.grant.ended"]
        assert [each.attributes()["netproxy.reviewer.id"] for each in ends] == ["bea"]

    run_virtual(main())


def test_a_question_tells_its_story() -> None:
    async def main() -> None:
        store = SlowStore()
        async with service(Scripted(lambda _: answer()), store=store) as approvals:
            assert await approvals.story("a-unknown") is None
            outcomes = [await approvals.ask(ASKING) for _ in range(7)]
            ids = [each.approval_id for each in outcomes]
            assert ids[0] is not None
            assert ids[6] is not None
            newest = await approvals.story(ids[6])
            assert newest is not None
            assert [each.question.approval_id for each in newest.earlier] == ids[5:0:-1]
            assert not newest.first_seen
            assert [each.question.approval_id for each in await approvals.recent(limit=2)] == [
                ids[6], ids[5],
            ]  # fmt: skip
            elsewhere = await approvals.ask(asking("other.example"))
            assert elsewhere.approval_id is not None
            alone = await approvals.story(elsewhere.approval_id)
            assert alone is not None
            assert alone.first_seen
            assert alone.record.answer == answer()

    run_virtual(main())


def test_whoever_looks_sees_what_stands_and_what_changes() -> None:
    async def main() -> None:
        reviewer = Silent()
        async with service(reviewer) as approvals:
            watching = approvals.changes()
            held = later(approvals)
            await asyncio.sleep(1)
            (pending,) = approvals.pending()
            assert pending == approvals.find(pending.question.approval_id)
            assert (pending.version, pending.waiting, pending.joined) == (1, 1, 1)
            assert pending.seconds_left == 899
            await approvals.decide(pending.question.approval_id, answer(scope=Scope.SESSION))
            await held
            kinds = [(await anext(watching)).kind for _ in range(4)]
            assert set(kinds) == {
                ChangeKind.WAITING, ChangeKind.ASKED, ChangeKind.RESOLVED, ChangeKind.GRANTED,
            }  # fmt: skip
            assert approvals.pending() == ()
            assert approvals.find(pending.question.approval_id) is None

    run_virtual(main())


def test_a_session_that_ends_forgets_what_it_was_told_and_others_do_not() -> None:
    async def main() -> None:
        async with service(Scripted(lambda _: answer(scope=Scope.SESSION))) as approvals:
            other = replace(KEY, session="s-2")
            await approvals.ask(ASKING)
            await approvals.ask(replace(ASKING, key=other))
            approvals.end_session("s-1")
            assert approvals.grant(KEY) is None
            assert approvals.grant(other) is not None

    run_virtual(main())
