"""Rows and columns as text: aligned for a terminal, or Markdown for a page. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import OURS, PEERS, RELAY, Figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.figures import Rows

type Cells = list[tuple[str, list[str]]]

_MISSING = "-"


def measured(rows: Rows) -> Cells:
    """Every figure, in its unit."""
    return [
        (name, [_number(found.get(figure)) for figure in Figure]) for name, found in rows.items()
    ]


def beside_relay(rows: Rows) -> Cells:
    """Every figure as a multiple of the relay's."""
    relay = rows.get(RELAY, {})
    return [
        (
            name,
            [_ratio(found.get(figure), relay.get(figure)) for figure in Figure],
        )
        for name, found in rows.items()
        if name != RELAY
    ]


def beside_best_peer(rows: Rows) -> Cells:
    """Ours as multiples of the best that any peer came to, in each column."""
    return [
        (name, [_ratio(rows[name].get(figure), best(rows, figure)) for figure in Figure])
        for name in OURS
        if name in rows
    ]


def best(rows: Rows, figure: Figure) -> float | None:
    """The best of the peers; None where no peer has that figure."""
    found = [rows[name][figure] for name in PEERS if figure in rows.get(name, {})]
    return (max if figure.more_is_better else min)(found, default=None)


def _ratio(value: float | None, beside: float | None) -> str:
    return _MISSING if value is None or not beside else f"{value / beside:.2f}"


def _number(value: float | None) -> str:
    """Three digits that count, and no more than a run of seconds can tell."""
    if value is None:
        return _MISSING
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def text(title: str, cells: Cells) -> str:
    """Columns aligned, with the two lines of their names above."""
    above, below = zip(*(_two_lines(figure) for figure in Figure), strict=True)
    lines = [("", list(above)), (title, list(below)), *cells]
    return _aligned(lines)


def markdown(title: str, cells: Cells) -> str:
    """The same, to paste."""
    rule = ["---", *("---:" for _ in Figure)]
    lines = [[title, *(figure.value for figure in Figure)], rule]
    lines += [[name, *values] for name, values in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _two_lines(figure: Figure) -> tuple[str, str]:
    """What is done above its unit."""
    what, _, unit = figure.value.partition(" ")
    return what, unit


def _aligned(lines: Iterable[tuple[str, Sequence[str]]]) -> str:
    rows = [[name, *values] for name, values in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
