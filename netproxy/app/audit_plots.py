"""Plots of a report as inline SVG: no script, no style attribute, nothing from elsewhere. Pure.

Colours are classes of the page's style sheet, so that light, dark and paper have their own. What a
colour says is also said in words: in a legend, and in the title of each bar.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from netproxy.app.amounts import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.app.audit_summary import Tally

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 260, 56, 8, 12, 30
_PLOT_WIDTH = _WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_GRID_LINES, _TIME_MARKS = 4, 8
_WIDEST_BAR = 40.0
_DAY_SECONDS = 86_400


def timeline(steps: Sequence[tuple[int, Tally]], step_seconds: int) -> str:
    """Allowed and denied requests over time, stacked. `steps` begin at seconds since 1970."""
    most = max((tally.asked for _, tally in steps), default=0)
    if not most:
        return '<p class="quiet">No requests in this period.</p>'
    top = _nice(most)
    parts = [
        '<div class="wide">',
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Requests">',
        *_grid(top),
        *_bars(steps, top, step_seconds),
        *_time_marks(steps, step_seconds),
        "</svg></div>",
    ]
    return "".join(parts)


def bar(share: float, kind: str) -> str:
    """One bar of a table, `share` of its whole width. `kind` is the class of its colour."""
    width = max(1.0, min(share, 1.0) * 100) if share > 0 else 0.0
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{kind}" width="{width:.1f}" height="8"/></svg>'
    )


def _nice(most: int) -> int:
    """The next number that four lines divide well."""
    size = 1
    while True:
        for factor in (4, 8, 12, 20, 40):
            if factor * size >= most:
                return factor * size
        size *= 10


def _grid(top: int) -> Iterator[str]:
    for line in range(_GRID_LINES + 1):
        value = top * line // _GRID_LINES
        y = _TOP + _PLOT_HEIGHT * (1 - line / _GRID_LINES)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{count(value)}</text>'


def _bars(steps: Sequence[tuple[int, Tally]], top: int, step_seconds: int) -> Iterator[str]:
    room = _PLOT_WIDTH / len(steps)
    width = min(room * 0.85, _WIDEST_BAR)
    for number, (begin, tally) in enumerate(steps):
        if not tally.asked:
            continue
        x = _LEFT + room * number + (room - width) / 2
        denied = _PLOT_HEIGHT * tally.denied / top
        allowed = _PLOT_HEIGHT * tally.allowed / top
        figures = f"{count(tally.allowed)} allowed, {count(tally.denied)} denied"
        said = f"{_when(begin, step_seconds)}: {figures}"
        floor = _TOP + _PLOT_HEIGHT
        yield f"<g><title>{escape(said)}</title>"
        if allowed:
            yield _rect("allow", x, floor - allowed, width, allowed)
        if denied:
            yield _rect("deny", x, floor - allowed - denied, width, denied)
        yield "</g>"


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _time_marks(steps: Sequence[tuple[int, Tally]], step_seconds: int) -> Iterator[str]:
    room = _PLOT_WIDTH / len(steps)
    every = -(-len(steps) // _TIME_MARKS)
    for number in range(0, len(steps), every):
        x = _LEFT + room * number
        when = _when(steps[number][0], step_seconds)
        yield f'<text class="start" x="{x:.1f}" y="{_HEIGHT - 8}">{when}</text>'


def _when(seconds: int, step_seconds: int) -> str:
    form = "%Y-%m-%d" if step_seconds >= _DAY_SECONDS else "%m-%d %H:%M"
    return datetime.fromtimestamp(seconds, UTC).strftime(form)
