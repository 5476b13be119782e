"""Codes open one session, once and soon; sessions end by themselves; nothing is kept as it is."""

from __future__ import annotations

import pytest

from approvals.web.visitors import (
    IDLE_SECONDS,
    LOGIN_SECONDS,
    SESSION_SECONDS,
    LoginCodes,
    Visitors,
    same,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_000_000.0 + self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_code_signs_in_once(clock: Clock) -> None:
    codes = LoginCodes(clock)
    code, expires_at = codes.issue("anna")
    assert expires_at == clock.wall() + LOGIN_SECONDS
    assert codes.redeem(code) == "anna"
    assert codes.redeem(code) is None


def test_a_code_is_not_to_be_guessed_and_never_the_same(clock: Clock) -> None:
    codes = LoginCodes(clock)
    made = {codes.issue("anna")[0] for _ in range(20)}
    assert len(made) == 20
    assert all(len(code) == 43 for code in made)  # 256 bits


def test_a_code_is_worth_nothing_after_five_minutes(clock: Clock) -> None:
    codes = LoginCodes(clock)
    code, _ = codes.issue("anna")
    clock.now += LOGIN_SECONDS
    assert codes.redeem(code) is None


def test_links_that_nobody_follows_do_not_pile_up(clock: Clock) -> None:
    codes = LoginCodes(clock)
    first, *_, last = (codes.issue("anna")[0] for _ in range(33))
    assert codes.redeem(first) is None
    assert codes.redeem(last) == "anna"


def test_what_is_kept_signs_nobody_in(clock: Clock) -> None:
    """A dump of the memory's tables holds digests, and neither code nor cookie."""
    codes, visitors = LoginCodes(clock), Visitors(clock)
    code, _ = codes.issue("anna")
    cookie = visitors.admit("anna")
    kept = repr(codes._names) + repr(visitors._known)
    assert code not in kept
    assert cookie not in kept


def test_ten_wrong_codes_a_minute_are_too_many(clock: Clock) -> None:
    codes = LoginCodes(clock)
    for _ in range(9):
        codes.redeem("wrong")
    assert limits(codes) is False
    codes.redeem("wrong \udcff")  # whatever a form may carry
    assert limits(codes) is True
    right, _ = codes.issue("anna")
    assert codes.redeem(right) == "anna", "nobody is locked out by somebody else's guesses"
    clock.now += 61
    assert limits(codes) is False


def limits(codes: LoginCodes) -> bool:
    return codes.too_many_wrong


def test_a_session_has_an_end_however_much_it_is_used(clock: Clock) -> None:
    visitors = Visitors(clock)
    cookie = visitors.admit("anna")
    while clock.now < 100 + SESSION_SECONDS - 60:
        assert visitors.find(cookie) is not None
        clock.now += 60
    clock.now += 60
    assert visitors.find(cookie) is None


def test_an_idle_session_ends_sooner(clock: Clock) -> None:
    visitors = Visitors(clock)
    cookie = visitors.admit("anna")
    clock.now += IDLE_SECONDS - 1
    assert visitors.find(cookie) is not None
    clock.now += IDLE_SECONDS
    assert visitors.find(cookie) is None
    clock.now -= IDLE_SECONDS
    assert visitors.find(cookie) is None, "it does not come back"


def test_nobody_is_known_by_no_cookie_or_another(clock: Clock) -> None:
    visitors = Visitors(clock)
    visitors.admit("anna")
    assert visitors.find(None) is None
    assert visitors.find("other") is None


def test_who_signs_out_is_out(clock: Clock) -> None:
    visitors = Visitors(clock)
    cookie, other = visitors.admit("anna"), visitors.admit("anna")
    visitors.dismiss(cookie)
    visitors.dismiss(cookie)
    assert visitors.find(cookie) is None
    assert visitors.find(other) is not None


def test_the_oldest_of_too_many_sessions_goes(clock: Clock) -> None:
    visitors = Visitors(clock)
    first = visitors.admit("anna")
    clock.now += 1
    others = [visitors.admit("ben") for _ in range(256)]
    assert visitors.find(first) is None
    assert visitors.find(others[0]) is not None


def test_what_was_done_is_said_once(clock: Clock) -> None:
    visitors = Visitors(clock)
    visitor = visitors.find(visitors.admit("anna"))
    assert visitor is not None
    visitor.notices.append("done")
    assert visitor.take_notices() == ("done",)
    assert visitor.take_notices() == ()


@pytest.mark.parametrize(("one", "other"), [("a", "a"), ("a", "b"), ("", "a"), ("ä", "ä")])
def test_secrets_are_compared(one: str, other: str) -> None:
    assert same(one, other) is (one == other)
