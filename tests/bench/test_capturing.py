"""Captured connections are judged beside CONNECT's of the same run."""

from __future__ import annotations

from bench.capturing import AT_ONCE, CAPTURED, CONNECT, Cost, medians, verdicts


def test_each_figure_has_a_median_of_its_own() -> None:
    assert medians([Cost(1, 9, 5), Cost(3, 7, 4), Cost(2, 8, 6)]) == Cost(2, 8, 5)


def test_the_bar_is_the_time_that_one_takes() -> None:
    connect = {(CONNECT, at_once): Cost(100, 10, 1) for at_once in AT_ONCE}
    captured = {(CAPTURED, 1): Cost(1, 12, 9), (CAPTURED, 16): Cost(900, 12.5, 0)}
    one, many = verdicts(connect | captured)
    assert str(one).endswith("CONNECT's, 1 at once: 1.20 x, bound ≤ 1.2 x, met")
    assert str(many).endswith("CONNECT's, 16 at once: 1.25 x, bound ≤ 1.2 x, not met")
