from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.config import TerminalConfig
from approvals.model import Question, Scope, Verdict
from approvals.reviewers.terminal_keys import Keyboard, choice_of, choices
from tests.support.approvals import ASKING
from tests.support.inbox import question

CONFIG = TerminalConfig(deaf_seconds=0.5, quiet_seconds=0.3)
ALLOW, DENY = Verdict.ALLOW, Verdict.DENY
ONCE, SESSION = Scope.ONCE, Scope.SESSION


def asked(stops: bool, widest: Scope = Scope.ALWAYS, *, rules: bool = True) -> Question:
    asking = replace(ASKING, stops_on_denial=stops)
    return replace(question(asking=asking), widest_scope=widest, writes_rules=rules)


@pytest.mark.parametrize(
    ("key", "stops", "meaning"),
    [
        ("d", True, (DENY, ONCE, True)),
        ("D", True, (DENY, SESSION, True)),
        ("c", True, (DENY, ONCE, False)),
        ("C", True, (DENY, SESSION, False)),
        ("N", True, (DENY, Scope.ALWAYS, True)),
        ("N", False, (DENY, Scope.ALWAYS, False)),
        ("h", True, (ALLOW, Scope.TIME, False)),
        ("A", True, (ALLOW, Scope.ALWAYS, False)),
        ("o", True, (ALLOW, ONCE, False)),
        ("s", True, (ALLOW, SESSION, False)),
        ("\x03", True, (DENY, ONCE, True)),
        ("d", False, (DENY, ONCE, False)),
        ("D", False, (DENY, SESSION, False)),
        ("c", False, None),
        ("o", False, (ALLOW, ONCE, False)),
        ("\x03", False, (DENY, ONCE, True)),
    ],
)
def test_what_each_key_means(
    key: str, stops: bool, meaning: tuple[Verdict, Scope, bool] | None
) -> None:
    choice = choice_of(key, asked(stops))
    got = None if choice is None else (choice.verdict, choice.scope, choice.cancel)
    assert got == meaning


@pytest.mark.parametrize("stops", [True, False])
def test_no_other_key_answers(stops: bool) -> None:
    """Enter, space, y, n, Escape, Ctrl-D, Ctrl-Z, capital O and S: nothing."""
    answering = {chr(code) for code in range(256) if choice_of(chr(code), asked(stops))}
    assert answering == set("dDcCNohsA\x03" if stops else "dDNohsA\x03")


@pytest.mark.parametrize("stops", [True, False])
def test_a_yes_is_offered_as_far_as_it_may_reach_and_a_no_always(stops: bool) -> None:
    narrow, wide = choices(asked(stops, ONCE)), choices(asked(stops))
    assert {each.key for each in set(wide) - set(narrow)} == set("hsA")
    assert choice_of("s", asked(stops, ONCE)) is None
    assert {each.key for each in wide} - {
        each.key for each in choices(asked(stops, rules=False))
    } == set("NA")


@pytest.mark.parametrize(("longest", "seconds"), [(None, 3600), (90.0, 90), (86_400.0, 3600)])
def test_an_hour_is_no_longer_than_a_yes_may_be(longest: float | None, seconds: float) -> None:
    choice = choice_of("h", replace(asked(True), grant_seconds=longest))
    assert choice is not None
    assert choice.seconds == seconds


@pytest.mark.parametrize("stops", [True, False])
def test_denials_are_listed_first(stops: bool) -> None:
    verdicts = [choice.verdict for choice in choices(asked(stops))]
    assert verdicts == sorted(verdicts, key=lambda verdict: verdict is ALLOW)


def test_keys_in_the_first_half_second_are_ignored() -> None:
    keyboard = Keyboard(CONFIG, 10.0)
    assert keyboard.press(b"o", 10.1) is None
    assert keyboard.press(b"o", 10.6) == "o"


def test_somebody_who_keeps_typing_answers_nothing() -> None:
    keyboard = Keyboard(CONFIG, 0.0)
    assert [keyboard.press(b"o", 0.2 * n) for n in range(1, 50)] == [None] * 49
    assert keyboard.press(b"o", 10.2) == "o"


def test_a_burst_is_no_key_and_neither_is_what_follows_at_once() -> None:
    """An arrow key, a mouse report or a paste whose last byte comes alone."""
    keyboard = Keyboard(CONFIG, 0.0)
    assert keyboard.press(b"\x1b[A", 1.0) == ""
    assert keyboard.press(b"o", 1.1) is None
    assert keyboard.press(b"o", 1.5) == "o"


@given(st.binary(min_size=2, max_size=50))
def test_no_burst_ever_answers(data: bytes) -> None:
    assert Keyboard(CONFIG, 0.0).press(data, 100.0) == ""
