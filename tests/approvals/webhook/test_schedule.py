from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from approvals.webhook.schedule import next_attempt

MADE = 1000.0


def test_soon_at_first_then_every_two_minutes() -> None:
    times = [next_attempt(MADE, tried, now=MADE, chance=0.5) - MADE for tried in range(1, 10)]
    assert times == [2, 5, 15, 30, 60, 120, 240, 360, 480]


@given(st.integers(1, 50), st.floats(0, 1), st.floats(0, 10_000))
def test_never_at_once_and_within_a_fifth(tried: int, chance: float, later: float) -> None:
    planned = next_attempt(MADE, tried, now=MADE, chance=0.5) - MADE
    found = next_attempt(MADE, tried, now=MADE + later, chance=chance) - MADE
    assert found >= later + 1 - 1e-3
    assert found <= max(later + 1.001, planned * 1.2 + 1e-3)


def test_tries_grow_apart() -> None:
    times = [next_attempt(MADE, tried, now=MADE, chance=0.5) for tried in range(1, 20)]
    assert all(a < b for a, b in itertools.pairwise(times))
