from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.cli import approvals_words as words

NOW = datetime(2026, 1, 2, 17, 40, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("2d", 172_800)]
)
def test_times(text: str, seconds: float) -> None:
    assert words.seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "1", "1w", "-1h", "1.5h", "1h ", "\u0663h", "1" * 12 + "s"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not 90s"):
        words.seconds_of(text)


@pytest.mark.parametrize(
    ("text", "amount"), [("1", 1), ("500k", 500_000), ("20M", 2 * 10**7), ("3GB", 3 * 10**9)]
)
def test_amounts(text: str, amount: int) -> None:
    assert words.bytes_of(text) == amount


@given(st.text(max_size=12))
def test_no_text_is_read_as_nothing(text: str) -> None:
    for read in (words.seconds_of, words.bytes_of):
        with suppress(ValueError):
            assert read(text) > 0


@pytest.mark.parametrize(
    ("answer", "waiting", "said"),
    [
        ({"scope": "once"}, 0, "for the next try"),
        ({"scope": "once"}, 1, "for the request that waits now"),
        ({"scope": "once"}, 3, "for the 3 requests that wait now"),
        ({"scope": "run"}, 1, "until the run ends"),
        ({"scope": "time", "seconds": 3600}, 1, "for 1 h, until 18:40"),
        ({"scope": "time", "seconds": 86_400}, 1, "for 1 d, until 2026-01-03 17:40"),
        (
            {"scope": "session", "budget": {"connections": 1, "bytes": None}},
            1,
            "until the session ends, for 1 connection",
        ),
        (
            {"scope": "session", "budget": {"connections": None, "bytes": 5000}},
            1,
            "until the session ends, for 5 kB",
        ),
        ({"scope": "always"}, 1, "for good, by a rule of your policy"),
    ],
)
def test_how_far_a_yes_reaches(answer: dict[str, object], waiting: int, said: str) -> None:
    assert words.reach(answer, waiting, NOW) == said


def test_when_a_grant_ends() -> None:
    ends = "2026-01-02T17:40:00.000Z"
    assert words.held_until({"expires_at": ends, "scope": "time"}, NOW) == "18:40"
    for scope, said in (
        ("once", "one retry"),
        ("run", "the run ends"),
        ("session", "the session ends"),
        ("always", "the rule"),
    ):
        assert words.held_until({"expires_at": None, "scope": scope}, NOW) == said


def test_what_was_used() -> None:
    grant = {"budget": None, "used_connections": 2, "used_bytes": 5000}
    assert words.used(grant) == ""
    limited = {**grant, "budget": {"connections": 3, "bytes": None}}
    assert words.used(limited) == "2 of 3 connections, 5 kB"


def test_moments_are_utc() -> None:
    assert words.moment("2026-01-02T03:04:05.678Z").tzinfo is UTC
    assert words.left(-1) == "0:00"
    assert words.left(872.9) == "14:32"
    assert words.denial({"scope": "session"}, stops=False) == (
        "until the session ends; the command goes on"
    )
