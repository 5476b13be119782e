"""The sentence that whoever waits gets: who said what, how far it reaches, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from approvals import Ending, Outcome, Scope, Verdict
from netproxy.app.verdict_text import sentence
from netproxy.model import Destination, Protocol
from tests.support.approvals import answer, grant

WHERE = Destination(host="pypi.org", port=443, protocol=Protocol.HTTPS)
NOON = datetime(2026, 1, 2, 12, 0).astimezone().timestamp()


def outcome(verdict: Verdict, scope: Scope, ending: Ending, comment: str | None = None) -> Outcome:
    said = replace(answer(verdict, scope), comment=comment)
    return Outcome(ending=ending, approval_id="a-1", answer=said, explanation="so it is")


@pytest.mark.parametrize(
    ("scope", "reach"),
    [
        (Scope.ONCE, ""),
        (Scope.RUN, " for this run"),
        (Scope.SESSION, " for this session"),
        (Scope.ALWAYS, " for good"),
    ],
)
@pytest.mark.parametrize("verdict", Verdict)
def test_how_far_it_reaches(verdict: Verdict, scope: Scope, reach: str) -> None:
    ending = Ending.APPROVED if verdict is Verdict.ALLOW else Ending.DENIED
    verb = "allowed" if verdict is Verdict.ALLOW else "denied"
    text = sentence(WHERE, outcome(verdict, scope, ending), None)
    assert text == f"https://pypi.org:443 was {verb}{reach} by anna (fake)."


@pytest.mark.parametrize(
    ("scope", "seconds", "reach"),
    [
        (Scope.TIME, 3600, " for 1 h, until 13:00,"),
        (Scope.TIME, 86_400, " for 1 d, until 2026-01-03 12:00,"),
        (Scope.SESSION, 1800, " for this session, until 12:30,"),
    ],
)
def test_until_when(scope: Scope, seconds: float, reach: str) -> None:
    left = replace(grant(), scope=scope, created_at=NOON, expires_at=NOON + seconds)
    text = sentence(WHERE, outcome(Verdict.ALLOW, scope, Ending.APPROVED, "as agreed"), left)
    assert text == f"https://pypi.org:443 was allowed{reach} by anna (fake): as agreed."


def test_another_answers_time_is_not_told() -> None:
    other = replace(grant(), approval_id="a-2", created_at=NOON, expires_at=NOON + 60)
    text = sentence(WHERE, outcome(Verdict.ALLOW, Scope.ONCE, Ending.APPROVED), other)
    assert "until" not in text


def test_a_yes_without_effect_is_told_as_what_happened() -> None:
    lost = outcome(Verdict.ALLOW, Scope.SESSION, Ending.AUDIT_UNAVAILABLE)
    assert sentence(WHERE, lost, None) == "https://pypi.org:443 was not allowed: so it is."


def test_a_comment_stays_in_its_line() -> None:
    text = sentence(WHERE, outcome(Verdict.DENY, Scope.ONCE, Ending.DENIED, "no\r\n\x1b[2J"), None)
    assert text.isprintable()
