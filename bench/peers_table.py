"""The section `table`: every subject in turn in one run, one table, its ratios, and the bars."""

from __future__ import annotations

import os
import platform
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench.bars import BARS
from bench.errors import BenchFailed
from bench.measuring import measure
from bench.processes import CORES, Others, idle_tunnels
from bench.subjects import lab, starts
from bench.table import beside_best_peer, beside_relay, markdown, measured, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Rows


def table(
    *, rounds: int, seconds: float, idle: int, only: Sequence[str] | None, as_markdown: bool
) -> None:
    """Measure and print. Raises `BenchFailed`. A bar that is missed is told, and no failure."""
    found, missing = starts()
    for line in missing:
        print(line)
    if only is not None:
        if unknown := set(only) - set(found):
            raise BenchFailed(f"no such row: {', '.join(sorted(unknown))}; {', '.join(found)}")
        found = {name: start for name, start in found.items() if name in only}
    idle = idle_tunnels(idle)
    print(machine(), flush=True)
    with lab() as place, ExitStack() as stack:
        subjects = [stack.enter_context(start(place)) for start in found.values()]
        others = Others()
        rows = measure(subjects, rounds=rounds, seconds=seconds, idle=idle)
        busy = others.cores()
    _show(rows, as_markdown=as_markdown)
    print(f"\nEverything else on this machine kept {busy:.2f} cores busy meanwhile.")


def machine() -> str:
    """What the figures are of."""
    apart = "" if len(CORES) > 1 else "; ONE CORE FOR ALL: nothing here says much"
    return (
        f"{len(CORES)} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load average before: {os.getloadavg()[0]:.2f}{apart}"
    )


def _show(rows: Rows, *, as_markdown: bool) -> None:
    shape = markdown if as_markdown else text
    for title, cells in (
        ("", measured(rows)),
        ("x the C relay's", beside_relay(rows)),
        ("x the best peer's", beside_best_peer(rows)),
    ):
        print(f"\n{shape(title, cells)}")
    print()
    for bar in BARS:
        print(f"{'- ' if as_markdown else 'bar: '}{bar.judge(rows)}")
