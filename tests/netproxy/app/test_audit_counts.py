"""Counts stay within bounds, and say how wrong they may be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app import audit_counts
from netproxy.app.audit_counts import Most, Spread, Timeline


@dataclass
class Number:
    weight: int = 0


def most(keys: list[int], bound: int) -> Most[int, Number]:
    made: Most[int, Number] = Most(Number, bound)
    for key in keys:
        made[key].weight += 1
    return made


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(2, 12))
def test_no_count_is_further_off_than_is_said(keys: list[int], bound: int) -> None:
    made, exact = most(keys, bound), Counter(keys)
    assert len(made) <= bound
    for key, number in made.top():
        assert 0 <= exact[key] - number.weight <= made.short_by
    for key in exact.keys() - dict(made.top()).keys():
        assert exact[key] <= made.short_by
    assert (made.short_by == 0) == (made.let_go == 0)


@given(st.lists(st.integers(0, 5)))
def test_within_the_bound_it_is_exact(keys: list[int]) -> None:
    made = most(keys, 6)
    assert {key: number.weight for key, number in made.top()} == Counter(keys)
    weights = [number.weight for _, number in made.top()]
    assert weights == sorted(weights, reverse=True)


def test_what_is_asked_for_often_survives_a_flood() -> None:
    """A client that asks for a name after the other doesn't hide what it did before."""
    keys = [1] * 50 + list(range(100, 5000)) + [1] * 50
    [(key, number), *_] = most(keys, 20).top()
    assert (key, number.weight) == (1, 100)


def test_the_middle_and_the_longest() -> None:
    assert Spread().middle is None
    spread = Spread()
    for value in (5, 1, 9):
        spread.add(value)
    assert (spread.count, spread.middle, spread.longest) == (3, 5, 9)


def counted(*times: str) -> Timeline[Counter[str]]:
    made: Timeline[Counter[str]] = Timeline(Counter, lambda one, other: one + other)
    for time in times:
        made.at(time)["x"] += 1
    return made


def test_steps_without_a_hole() -> None:
    made = counted("2026-01-02T03:04:05.678Z", "2026-01-02T03:07:59.000Z", "2026-01-02T03:04:59.0Z")
    steps = made.steps()
    assert made.step_seconds == 60
    assert [counts["x"] for _, counts in steps] == [2, 0, 0, 1]
    assert steps[0][0] == 1_767_323_040
    assert counted().steps() == []


@given(
    st.lists(
        st.datetimes().map(lambda when: f"{when.year:04d}{when:-%m-%dT%H:%M:%S}.000Z"), max_size=30
    )
)
def test_any_times_are_a_few_steps_and_none_is_lost(times: list[str]) -> None:
    """A clock may have been wrong by centuries."""
    steps = counted(*times).steps()
    assert len(steps) <= 500
    assert sum(counts["x"] for _, counts in steps) == len(times)


@pytest.mark.parametrize("text", ["0000-01-01T00:00:00.000Z", "2026-13-45T99:99:99.999Z"])
def test_what_is_no_time_is_on_no_step(text: str) -> None:
    assert counted(text).steps() == []


def test_the_middle_is_of_the_first_ones() -> None:
    """Memory that does not grow."""
    spread = Spread()
    for value in range(audit_counts.MOST_KEPT + 5):
        spread.add(value)
    assert spread.count == spread.longest + 1 == audit_counts.MOST_KEPT + 5
    assert spread.middle == audit_counts.MOST_KEPT // 2
