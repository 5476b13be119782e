from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.config import TerminalConfig
from approvals.model import Scope, Verdict
from approvals.reviewers.terminal_keys import Keyboard, choice_of, choices

CONFIG = TerminalConfig(deaf_seconds=0.5, quiet_seconds=0.3)
ALLOW, DENY = Verdict.ALLOW, Verdict.DENY
ONCE, SESSION = Scope.ONCE, Scope.SESSION
EVERY = tuple(Scope)


@pytest.mark.parametrize(
    ("key", "stops", "meaning"),
    [
        ("d", True, (DENY, ONCE, True)),
        ("D", True, (DENY, SESSION, True)),
        ("c", True, (DENY, ONCE, False)),
        ("C", True, (DENY, SESSION, False)),
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
    choice = choice_of(key, stops_on_denial=stops, scopes=EVERY)
    got = None if choice is None else (choice.verdict, choice.scope, choice.cancel)
    assert got == meaning


@pytest.mark.parametrize("stops", [True, False])
def test_no_other_key_answers(stops: bool) -> None:
    """Enter, space, y, n, Escape, Ctrl-D, Ctrl-Z, capital O and S: nothing."""
    answering = {
        chr(code)
        for code in range(256)
        if choice_of(chr(code), stops_on_denial=stops, scopes=EVERY)
    }
    assert answering == set("dDcCos\x03" if stops else "dDos\x03")


@pytest.mark.parametrize("stops", [True, False])
def test_a_yes_is_offered_as_far_as_it_may_reach_and_a_no_always(stops: bool) -> None:
    narrow = choices(stops_on_denial=stops, scopes=(ONCE,))
    wide = choices(stops_on_denial=stops, scopes=EVERY)
    assert set(wide) - set(narrow) == {c for c in wide if c.verdict is ALLOW and c.scope is SESSION}
    assert choice_of("s", stops_on_denial=stops, scopes=(ONCE,)) is None


@pytest.mark.parametrize("stops", [True, False])
def test_denials_are_listed_first(stops: bool) -> None:
    verdicts = [choice.verdict for choice in choices(stops_on_denial=stops, scopes=EVERY)]
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
