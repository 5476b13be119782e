"""The table reads the same whatever was measured, and says where something was not."""

from __future__ import annotations

import pytest

from bench.figures import DANTE, NETPROXY, RELAY, SQUID, Figure, Rows
from bench.table import beside_best_peer, beside_relay, best, markdown, measured, text

ROWS: Rows = {
    RELAY: {Figure.CONNECT_RATE: 10_000.0, Figure.CONNECT_CPU_US: 80.0, Figure.IDLE_KIB: 0.1},
    NETPROXY: {
        Figure.CONNECT_RATE: 5_000.0,
        Figure.CONNECT_CPU_US: 160.0,
        Figure.SOCKS5_CPU_US: 200.0,
        Figure.IDLE_KIB: 1.6,
    },
    SQUID: {Figure.CONNECT_RATE: 2_500.0, Figure.CONNECT_CPU_US: 240.0, Figure.IDLE_KIB: 32.0},
    DANTE: {Figure.SOCKS5_CPU_US: 400.0, Figure.IDLE_KIB: 400.0},
}


def cell(cells: list[tuple[str, list[str]]], row: str, figure: Figure) -> str:
    return dict(cells)[row][list(Figure).index(figure)]


@pytest.mark.parametrize(
    ("row", "figure", "shown"),
    [
        pytest.param(NETPROXY, Figure.CONNECT_RATE, "5,000", id="thousands"),
        pytest.param(NETPROXY, Figure.IDLE_KIB, "1.60", id="small"),
        pytest.param(SQUID, Figure.IDLE_KIB, "32.0", id="middle"),
        pytest.param(SQUID, Figure.SOCKS5_CPU_US, "-", id="does not do that"),
    ],
)
def test_a_figure_has_three_digits(row: str, figure: Figure, shown: str) -> None:
    assert cell(measured(ROWS), row, figure) == shown


def test_the_relay_is_one_and_has_no_row_beside_itself() -> None:
    cells = beside_relay(ROWS)
    assert RELAY not in dict(cells)
    assert cell(cells, NETPROXY, Figure.CONNECT_CPU_US) == "2.00"


def test_each_figure_stands_beside_the_same_one() -> None:
    assert cell(beside_relay(ROWS), NETPROXY, Figure.SOCKS5_CPU_US) == "-"


def test_without_a_relay_there_is_no_ratio() -> None:
    cells = beside_relay({NETPROXY: ROWS[NETPROXY]})
    assert set(dict(cells)[NETPROXY]) == {"-"}


def test_the_best_peer_is_another_in_each_column() -> None:
    assert best(ROWS, Figure.CONNECT_RATE) == 2_500.0
    assert best(ROWS, Figure.SOCKS5_CPU_US) == 400.0
    assert best(ROWS, Figure.IDLE_KIB) == 32.0, "the least memory, not the most"
    assert best(ROWS, Figure.HTTP_RATE) is None


def test_only_ours_stand_beside_the_best_peer() -> None:
    cells = beside_best_peer(ROWS)
    assert list(dict(cells)) == [NETPROXY]
    assert cell(cells, NETPROXY, Figure.CONNECT_RATE) == "2.00"
    assert cell(cells, NETPROXY, Figure.IDLE_KIB) == "0.05"


def test_columns_of_the_text_end_at_the_same_place() -> None:
    lines = text("beside", measured(ROWS)).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("beside")


def test_markdown_has_as_many_cells_in_each_line() -> None:
    lines = markdown("", measured(ROWS)).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert {line.count("|") for line in lines} == {len(Figure) + 2}


def test_rates_grow_and_costs_shrink() -> None:
    better = {figure for figure in Figure if figure.more_is_better}
    assert better == {
        Figure.CONNECT_RATE,
        Figure.SOCKS5_RATE,
        Figure.BULK_GBPS,
        Figure.HTTP_RATE,
    }
