"""The section `table`: every subject in turn in one run, one table, its ratios, and the bars."""

from __future__ import annotations

import os
import platform
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bars import BARS
from bench.errors import BenchFailed
from bench.load_client import build, origin
from bench.measuring import measure
from bench.processes import CORES
from bench.subjects import Lab, starts
from bench.table import beside_best_peer, beside_relay, markdown, measured, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    print(_machine(), flush=True)
    with lab() as place, ExitStack() as stack:
        subjects = [stack.enter_context(start(place)) for start in found.values()]
        rows = measure(subjects, rounds=rounds, seconds=seconds, idle=idle)
    _show(rows, as_markdown=as_markdown)


def _machine() -> str:
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


@contextmanager
def lab() -> Iterator[Lab]:
    """Build the tools and start the origin, in a folder that goes away with all that is in it."""
    # /tmp is another one inside the sandbox, where the load client has to be found.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="netproxy-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers that root starts become somebody else
        tools = build(folder / "tools")
        with origin(tools, folder) as to:
            yield Lab(folder=folder, tools=tools, origin=to)
