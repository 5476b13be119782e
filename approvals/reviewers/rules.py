"""Answers by rules that somebody wrote beforehand: by destination, time and count.

A denial beats an allow however the rules are ordered, and goes on doing so when its count is used
up: then there is no answer at all. Where no rule fits the question is left to the others.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from approvals.errors import NoOpinion
from approvals.model import Answer, Scope, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from approvals.config import AutoRule
    from approvals.model import Question
    from approvals.ports import Clock, Inquiry


class RuleReviewer:
    """All rules of a gateway, as one reviewer."""

    channel = "auto"

    def __init__(
        self, rules: Sequence[AutoRule], clock: Clock, *, zone: tzinfo | None = None
    ) -> None:
        """`zone`: where the rules' hours are meant; None is this machine's."""
        self._rules = tuple(rules)
        self._clock = clock
        self._zone = zone
        self._given: Counter[tuple[str, str]] = Counter()  # by session and rule

    async def review(self, inquiry: Inquiry) -> Answer:
        """Answer at once. Raises `NoOpinion`."""
        question = inquiry.question
        now = datetime.fromtimestamp(self._clock.wall(), tz=UTC).astimezone(self._zone)
        fitting = [r for r in self._rules if r.matches(question.key) and is_time(r, now)]
        denying = [rule for rule in fitting if rule.verdict is Verdict.DENY]
        usable = [rule for rule in denying or fitting if self._is_left(rule, question)]
        if not usable:
            why = "every rule that fits was used up" if fitting else "no rule of [approvals] fits"
            raise NoOpinion(why)
        inquiry.accept()
        self._given[question.key.session, usable[0].name] += 1
        return _answer(usable[0], inquiry)

    def _is_left(self, rule: AutoRule, question: Question) -> bool:
        return rule.limit is None or self._given[question.key.session, rule.name] < rule.limit


def is_time(rule: AutoRule, now: datetime) -> bool:
    """Whether a rule holds at this local time. Hours past midnight belong to the day they began."""
    day = now
    if rule.hours is not None:
        begin, end = rule.hours
        minute = now.hour * 60 + now.minute
        if begin < end:
            if not begin <= minute < end:
                return False
        elif minute < end:
            day = now - timedelta(days=1)
        elif minute < begin:
            return False
    return rule.days is None or day.weekday() in rule.days


def _answer(rule: AutoRule, inquiry: Inquiry) -> Answer:
    question = inquiry.question
    allows = rule.verdict is Verdict.ALLOW
    scope = _offered(rule.scope, question.scopes if allows else question.denial_scopes)
    stops = question.asking.stops_on_denial if rule.cancel is None else rule.cancel
    return Answer(
        verdict=rule.verdict,
        scope=scope,
        cancel=not allows and stops,
        reviewer=f"rule {rule.name}",
        channel=RuleReviewer.channel,
        seen_join_no=inquiry.joined,
        comment=rule.reason,
        seconds=rule.seconds if scope is Scope.TIME else None,
    )


def _offered(wanted: Scope, offered: Sequence[Scope]) -> Scope:
    """What was wanted, or the next narrower of what may be said here."""
    order = tuple(Scope)
    within = [scope for scope in offered if order.index(scope) <= order.index(wanted)]
    return within[-1]
