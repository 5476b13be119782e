"""Words are short, true, and never a colour alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from approvals.model import Budget, Record, Resolution, Scope, Status, Verdict
from approvals.web import words
from tests.support.approvals import answer, grant
from tests.support.inbox import question


def record(status: Status, verdict: Verdict | None = None) -> Record:
    said = None if verdict is None else answer(verdict)
    return Record(question=question(), status=status, version=2, answer=said)


@pytest.mark.parametrize(
    ("known", "word", "told"),
    [
        (record(Status.PENDING), "open", "open"),
        (record(Status.EXPIRED), "nobody answered in time", "nobody answered in time"),
        (record(Status.WITHDRAWN), "withdrawn", "withdrawn"),
        (record(Status.DENIED), "denied", "denied"),
        (record(Status.DENIED, Verdict.DENY), "denied", "denied by anna (fake)"),
        # What became of a yes later doesn't change what was said.
        (record(Status.EXPIRED, Verdict.ALLOW), "allowed", "allowed once by anna (fake)"),
        (record(Status.REVOKED, Verdict.ALLOW), "allowed", "allowed once by anna (fake)"),
    ],
)
def test_how_a_question_ended(known: Record, word: str, told: str) -> None:
    style, sign, said = words.sign(known)
    assert said == word
    assert style
    assert sign
    assert words.ended(known) == told


def test_how_an_answer_ended_it() -> None:
    won = Resolution(
        approval_id="a-1", status=Status.DENIED, answer=answer(Verdict.DENY), explanation="x"
    )
    assert words.resolved(won) == "denied by anna (fake)"
    assert words.resolved(replace(won, answer=None)) == "x"


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (None, ""),
        (Budget(connections=5), "1 of 5 connections"),
        (Budget(bytes=10_000_000), "1.5 MB of 10 MB"),
        (Budget(connections=5, bytes=2000), "1 of 5 connections, 1.5 MB of 2 kB"),
    ],
)
def test_how_much_is_used(budget: Budget | None, told: str) -> None:
    held = replace(grant(), budget=budget, used_connections=1, used_bytes=1_500_000)
    assert words.use(held) == told


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (10**19, "1e+07 TB")]
)
def test_amounts_have_a_unit(count: int, told: str) -> None:
    assert words.amount(count) == told


def test_protocols_have_a_name() -> None:
    assert words.protocol("https") == "HTTPS tunnel"
    assert words.protocol("new") == "new"


def test_a_moment_is_on_a_clock() -> None:
    assert words.moment(0.0, UTC).isoformat() == "1970-01-01T00:00:00+00:00"
    assert words.moment(0.0, None).timestamp() == 0.0


@pytest.mark.parametrize(
    ("verdict", "scope", "seconds", "told"),
    [
        (Verdict.ALLOW, Scope.ONCE, None, "allowed once"),
        (Verdict.DENY, Scope.ONCE, None, "denied"),
        (Verdict.ALLOW, Scope.RUN, None, "allowed for this run"),
        (Verdict.ALLOW, Scope.TIME, 3600.0, "allowed for 1 hour"),
        (Verdict.ALLOW, Scope.TIME, 28800.0, "allowed for 8 hours"),
        (Verdict.ALLOW, Scope.TIME, 5400.0, "allowed for 90 minutes"),
        (Verdict.ALLOW, Scope.TIME, 10.0, "allowed for 1 minute"),
        (Verdict.ALLOW, Scope.TIME, None, "allowed for a time"),
        (Verdict.DENY, Scope.SESSION, None, "denied for this session"),
        (Verdict.ALLOW, Scope.ALWAYS, None, "allowed always"),
    ],
)
def test_scopes_are_told(verdict: Verdict, scope: Scope, seconds: float | None, told: str) -> None:
    given = replace(answer(verdict, scope), seconds=seconds)
    assert words.by(given) == f"{told} by anna (fake)"
