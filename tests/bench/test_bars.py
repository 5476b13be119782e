"""A bar says what ours came to, the bound, and whether that is enough."""

from __future__ import annotations

import pytest

from bench.bars import BARS, Bar
from bench.figures import NETPROXY, RELAY, Figure, Rows

COST = Bar(
    what="cost",
    row=NETPROXY,
    figure=Figure.CONNECT_CPU_US,
    beside=(RELAY, Figure.CONNECT_CPU_US),
    bound=2.5,
)
RATE = Bar(
    what="rate",
    row=NETPROXY,
    figure=Figure.BULK_GBPS,
    beside=(RELAY, Figure.BULK_GBPS),
    bound=0.9,
)
SIZE = Bar(what="size", row=NETPROXY, figure=Figure.IDLE_KIB, beside=None, bound=8.0)


def rows(figure: Figure, ours: float, relay: float) -> Rows:
    return {NETPROXY: {figure: ours}, RELAY: {figure: relay}}


@pytest.mark.parametrize(
    ("bar", "measured", "said"),
    [
        pytest.param(
            COST,
            rows(Figure.CONNECT_CPU_US, 200, 80),
            "cost: 2.50 x, bound ≤ 2.5 x, met",
            id="a cost at its bound",
        ),
        pytest.param(
            COST,
            rows(Figure.CONNECT_CPU_US, 240, 80),
            "cost: 3.00 x, bound ≤ 2.5 x, not met",
            id="a cost over it",
        ),
        pytest.param(
            RATE,
            rows(Figure.BULK_GBPS, 1, 1),
            "rate: 1.00 x, bound ≥ 0.9 x, met",
            id="a rate over its bound",
        ),
        pytest.param(
            RATE,
            rows(Figure.BULK_GBPS, 0.8, 1),
            "rate: 0.80 x, bound ≥ 0.9 x, not met",
            id="a rate below it",
        ),
        pytest.param(
            SIZE,
            rows(Figure.IDLE_KIB, 2, 0.1),
            "size: 2.00 KiB, bound ≤ 8 KiB, met",
            id="no ratio",
        ),
        pytest.param(
            COST,
            {NETPROXY: {Figure.CONNECT_CPU_US: 200}},
            "cost: not measured, bound ≤ 2.5 x",
            id="nothing to stand beside",
        ),
        pytest.param(SIZE, {}, "size: not measured, bound ≤ 8 KiB", id="ours is missing"),
    ],
)
def test_a_bar(bar: Bar, measured: Rows, said: str) -> None:
    verdict = bar.judge(measured)
    assert str(verdict) == said
    assert verdict.is_met == said.endswith(", met")


def test_a_figure_of_zero_to_stand_beside_is_no_ratio() -> None:
    assert "not measured" in str(COST.judge(rows(Figure.CONNECT_CPU_US, 200, 0)))


def test_no_bar_is_there_twice() -> None:
    assert len({bar.what for bar in BARS}) == len(BARS)
