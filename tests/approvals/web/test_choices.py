"""What is offered is what may be answered, no comes first, and each says what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.model import Scope, Verdict
from approvals.web.choices import Choice, offered, parse
from tests.support.approvals import ASKING
from tests.support.inbox import question

WIDE = replace(question(), widest_scope=Scope.ALWAYS)
NARROW = replace(question("a-2"), widest_scope=Scope.ONCE, writes_rules=False)


def labels(choices: tuple[Choice, ...]) -> list[str]:
    return [choice.label for choice in choices]


def test_every_answer_and_no_first() -> None:
    assert labels(offered([WIDE], waiting=1, now=0.0, policy_file="F")) == [
        "Deny and stop the command",
        "Deny, let it continue",
        "Deny for this session",
        "Always deny",
        "Allow once",
        "Allow for this run",
        "Allow for 15 minutes",
        "Allow for 1 hour",
        "Allow for 8 hours",
        "Allow for this session",
        "Always allow",
    ]


def test_nothing_is_offered_that_would_be_refused() -> None:
    assert labels(offered([NARROW], waiting=1, now=0.0, policy_file="F")) == [
        "Deny and stop the command",
        "Deny, let it continue",
        "Deny for this session",
        "Allow once",
    ]
    both = offered([WIDE, NARROW], waiting=2, now=0.0, policy_file="F")
    assert labels(both) == labels(offered([NARROW], waiting=1, now=0.0, policy_file="F"))


def test_where_a_denial_stops_nothing_there_is_one_denial_less() -> None:
    going_on = replace(NARROW, asking=replace(ASKING, stops_on_denial=False))
    choices = offered([going_on], waiting=1, now=0.0, policy_file="F")
    assert labels(choices) == ["Deny", "Deny for this session", "Allow once"]
    assert not any(choice.cancel for choice in choices)
    assert all(choice.first for choice in choices)
    assert choices[0].meaning == "Whoever waits is refused. The next try is asked about again."


@pytest.mark.parametrize(
    ("waiting", "sentence"),
    [
        (0, "Nobody waits any more: lets one retry through, if it comes soon."),
        (1, "Lets the request that waits through. The next one is asked about again."),
        (3, "Lets the 3 requests that wait through. The next is asked about again."),
    ],
)
def test_once_says_whom_it_lets_through(waiting: int, sentence: str) -> None:
    choices = offered([NARROW], waiting=waiting, now=0.0, policy_file="F")
    (once,) = (c for c in choices if c.verdict is Verdict.ALLOW)
    assert once.meaning == sentence


def test_a_lasting_yes_says_until_when_and_who_waits() -> None:
    found = {c.label: c for c in offered([WIDE], waiting=3, now=1000.0, policy_file="F")}
    hour = found["Allow for 1 hour"]
    assert hour.until == 4600.0
    assert hour.meaning == "Allows this host, protocol and port until"
    assert hour.rest == " or the end of the session; 3 requests wait."
    session = found["Allow for this session"]
    expected = "Allows this host, protocol and port until the session ends; 3 requests wait."
    assert (session.meaning, session.until) == (expected, None)


def test_an_administrators_limit_shows() -> None:
    limited = replace(WIDE, grant_seconds=1800.0)
    found = {c.label: c for c in offered([limited], waiting=0, now=1000.0, policy_file="F")}
    assert "Allow for 15 minutes" in found
    assert "Allow for 1 hour" not in found
    session = found["Allow for this session"]
    assert session.until == 2800.0
    assert session.meaning.endswith("until the session ends, and at most until")
    assert session.rest == "; nobody waits now."


def test_always_names_the_file_that_gets_the_rule() -> None:
    always = [
        c for c in offered([WIDE], waiting=1, now=0.0, policy_file="F") if c.scope == "always"
    ]
    assert [c.meaning.endswith("into F.") for c in always] == [True, True]


def test_a_group_says_that_it_is_these_and_no_others() -> None:
    session = offered(
        [WIDE, replace(WIDE, approval_id="a-3")], waiting=1, now=0.0, policy_file="F"
    )[-2]
    assert "these 2 destinations and no others" in session.meaning
    assert session.meaning.endswith("1 request waits.")


@pytest.mark.parametrize("questions", [[WIDE], [NARROW], [WIDE, NARROW]])
def test_what_is_offered_is_what_is_read(questions: list[object]) -> None:
    for choice in offered(questions, waiting=1, now=0.0, policy_file="F"):  # type: ignore[arg-type]  # both are
        read = parse(choice.value)
        assert read is not None
        assert (read.verdict, read.scope, read.cancel, read.seconds) == (
            choice.verdict,
            choice.scope,
            choice.cancel,
            choice.seconds,
        )


@pytest.mark.parametrize(
    "value",
    ["", "allow", "allow.once", "allow.once.3600", "allow.time.60", "allow.time.stop",
     "no.once.stop", "allow.ever.stop", "deny.once.stop.more", "ALLOW.once.continue"],
)  # fmt: skip
def test_nothing_else_is_an_answer(value: str) -> None:
    assert parse(value) is None


@given(st.text())
def test_any_text_is_an_answer_or_none(value: str) -> None:
    read = parse(value)
    assert read is None or read.value == value or read.seconds is not None
