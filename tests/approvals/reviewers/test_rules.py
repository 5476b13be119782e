"""Rules answer by destination, local time and count; a denial beats an allow."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from approvals.config import AutoRule
from approvals.errors import NoOpinion
from approvals.model import Answer, Scope, Verdict
from approvals.reviewers.rules import RuleReviewer, is_time
from tests.support.approvals import ASKING, KEY
from tests.support.inbox import question
from tests.support.inquiries import FakeInquiry

RULE = AutoRule(
    name="docs",
    matches=lambda key: key.host == "pypi.org",
    verdict=Verdict.ALLOW,
    scope=Scope.SESSION,
    seconds=None,
    cancel=None,
    hours=None,
    days=None,
    limit=None,
    reason="documentation",
)
NO = replace(RULE, name="never", verdict=Verdict.DENY, scope=Scope.ONCE, reason=None)
# A Saturday, 23:30 in Berlin.
SATURDAY = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))


class Clock:
    def monotonic(self) -> float:
        return 0.0

    def wall(self) -> float:
        return SATURDAY.timestamp()


def reviewer(*rules: AutoRule) -> RuleReviewer:
    return RuleReviewer(rules, Clock(), zone=BERLIN)


def ask(asked: RuleReviewer, inquiry: FakeInquiry | None = None) -> Answer:
    return asyncio.run(asked.review(inquiry or FakeInquiry()))


def test_a_rule_that_fits_answers_in_its_own_name() -> None:
    inquiry = FakeInquiry(joined=3)
    found = ask(reviewer(RULE), inquiry)
    assert (found.verdict, found.scope) == (Verdict.ALLOW, Scope.SESSION)
    assert (found.reviewer, found.channel, found.comment) == ("rule docs", "auto", "documentation")
    assert (found.seen_join_no, found.cancel, inquiry.accepted) == (3, False, 1)


def test_where_none_fits_the_others_are_left_to_it() -> None:
    inquiry = FakeInquiry(question=question(asking=replace(ASKING, key=replace(KEY, host="x.org"))))
    with pytest.raises(NoOpinion, match="no rule"):
        ask(reviewer(RULE, NO), inquiry)
    assert inquiry.accepted == 0


@pytest.mark.parametrize("rules", [(RULE, NO), (NO, RULE)])
def test_a_denial_beats_an_allow_in_any_order(rules: tuple[AutoRule, ...]) -> None:
    assert ask(reviewer(*rules)).verdict is Verdict.DENY


def test_a_denial_whose_count_is_used_up_still_keeps_an_allow_from_counting() -> None:
    asked = reviewer(RULE, replace(NO, limit=1))
    assert ask(asked).verdict is Verdict.DENY
    with pytest.raises(NoOpinion, match="used up"):
        ask(asked)


def test_a_count_is_per_session() -> None:
    asked = reviewer(replace(RULE, limit=2))
    other = FakeInquiry(question=question(asking=replace(ASKING, key=replace(KEY, session="s-2"))))
    for _ in range(2):
        assert ask(asked).verdict is Verdict.ALLOW
    with pytest.raises(NoOpinion, match="used up"):
        ask(asked)
    assert ask(asked, other).verdict is Verdict.ALLOW


def test_a_denial_ends_the_command_as_it_would_or_as_the_rule_says() -> None:
    assert ask(reviewer(NO)).cancel
    assert not ask(reviewer(replace(NO, cancel=False))).cancel


@pytest.mark.parametrize(
    ("verdict", "wanted", "widest", "given"),
    [
        (Verdict.ALLOW, Scope.SESSION, Scope.SESSION, Scope.SESSION),
        (Verdict.ALLOW, Scope.SESSION, Scope.RUN, Scope.RUN),
        (Verdict.ALLOW, Scope.ALWAYS, Scope.SESSION, Scope.SESSION),
        (Verdict.ALLOW, Scope.TIME, Scope.ONCE, Scope.ONCE),
        (Verdict.DENY, Scope.RUN, Scope.SESSION, Scope.ONCE),
        (Verdict.DENY, Scope.SESSION, Scope.ONCE, Scope.SESSION),
    ],
)
def test_it_reaches_as_far_as_may_be_said_here(
    verdict: Verdict, wanted: Scope, widest: Scope, given: Scope
) -> None:
    rule = replace(RULE, verdict=verdict, scope=wanted, seconds=60)
    asked = replace(question(), widest_scope=widest, writes_rules=False)
    found = ask(reviewer(rule), FakeInquiry(question=asked))
    assert found.scope is given
    assert found.seconds is None


def test_a_time_is_passed_on() -> None:
    assert ask(reviewer(replace(RULE, scope=Scope.TIME, seconds=60))).seconds == 60


def test_hours_are_local() -> None:
    evening = replace(RULE, hours=(23 * 60, 24 * 60))
    assert ask(reviewer(evening)).verdict is Verdict.ALLOW
    with pytest.raises(NoOpinion):
        asyncio.run(RuleReviewer([evening], Clock(), zone=UTC).review(FakeInquiry()))


def at(hour: int, minute: int = 0, *, day: int = 21) -> datetime:
    """November 2026: the 21st is a Saturday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("hours", "days", "now", "holds"),
    [
        ((480, 1080), None, at(8), True),
        ((480, 1080), None, at(17, 59), True),
        ((480, 1080), None, at(18), False),
        ((480, 1080), None, at(7, 59), False),
        ((1320, 360), None, at(23), True),
        ((1320, 360), None, at(5, 59), True),
        ((1320, 360), None, at(6), False),
        (None, frozenset({5}), at(12), True),
        (None, frozenset({5}), at(12, day=22), False),
        # Saturday's night goes on until Sunday morning, and Friday's until Saturday's.
        ((1320, 360), frozenset({5}), at(3, day=22), True),
        ((1320, 360), frozenset({5}), at(3), False),
        ((1320, 360), frozenset({5}), at(23), True),
    ],
)
def test_days_and_hours(
    hours: tuple[int, int] | None, days: frozenset[int] | None, now: datetime, *, holds: bool
) -> None:
    assert is_time(replace(RULE, hours=hours, days=days), now) is holds
