"""The whole command, at tiny durations: it prints every row, every ratio and every bar."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bench.bars import BARS
from bench.figures import BARE_LOOP, INSIDE, NETPROXY, RELAY, UNRECORDED
from bench.processes import read_stat

ROOT = Path(__file__).parents[2]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.run", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120
    )


needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("make") is None,
    reason="the load tools need a C compiler and make (.ci/run installs them)",
)


@needs_compiler
def test_the_table_of_relay_and_netproxy() -> None:
    rows = [
        word for row in (RELAY, BARE_LOOP, NETPROXY, INSIDE, UNRECORDED) for word in ("--row", row)
    ]
    short = ("--rounds", "1", "--seconds", "0.05", "--idle", "20")
    done = bench("table", *short, *rows, "--markdown")
    assert done.returncode == 0, done.stderr
    cells = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| netp")]
    # Three variants in each of three tables, thirteen columns each.
    assert [len(line) for line in cells] == [13] * 9
    assert all("-" not in (cell.strip(" |") for cell in line) for line in cells[:3]), cells
    assert sum(line.startswith("- ") for line in done.stdout.splitlines()) == len(BARS)


@needs_compiler
def test_captured_connections_beside_connect() -> None:
    done = bench("capture", "--rounds", "1", "--seconds", "0.05")
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines() if "a second" in line]
    kinds = ("CONNECT", "captured", "look-up")
    assert rows == [[kind, at_once] for at_once in ("1", "16") for kind in kinds]
    assert sum(line.startswith("bar: ") for line in done.stdout.splitlines()) == 2


def test_starts_beside_bare_bwrap() -> None:
    """Here its figures say nothing. That runs were handed over, and that all went well, does."""
    done = bench("start", "--runs", "1", "--at-once", "2")
    assert done.returncode == 0, done.stderr
    together = [line for line in done.stdout.splitlines() if "2 at once" in line]
    assert [line.rpartition(", ")[2] for line in together] == [
        "0 of them handed over",
        "2 of them handed over",
    ]
    for row in ("bare Python launcher", "netproxy run, with a file"):
        assert f"\n{row:<26} median " in done.stdout
    assert sum(line.startswith("bar: ") for line in done.stdout.splitlines()) == 2


@needs_compiler
def test_the_soak() -> None:
    """With so few tunnels its rates say nothing; descriptors and memory do."""
    short = ("--rounds", "1", "--seconds", "0.05", "--idle", "20", "--tunnels", "500")
    done = bench("soak", *short)
    assert done.returncode == 0 or "not met: tunnels/s" in done.stderr, done.stderr
    assert "descriptors grown since the first share: 0.00, bound ≤ 0, met" in done.stdout
    assert "p99 beside 20 idle tunnels" in done.stdout


@needs_compiler
def test_nothing_outlives_a_bench_that_is_told_to_end() -> None:
    command = [sys.executable, "-m", "bench.run", "table", "--row", RELAY, "--seconds", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        until = time.monotonic() + 20
        while len(family := children(process.pid)) < 3:  # origin, relay, and the load client
            assert time.monotonic() < until
            time.sleep(0.02)
        process.terminate()
        assert process.wait(20) != 0
    # Whoever was killed last is there until somebody has taken note of its end.
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in family):
        assert time.monotonic() < until
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Those that it has now; not what the compiler was."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            each = read_stat(entry.read_text(errors="replace"))
            if each.parent == pid and each.name in {"origin", "relay", "sh"}:
                found.append(each.pid)
    return found


def test_an_unknown_section_is_refused_before_anything_starts() -> None:
    done = bench("no-such-section")
    assert done.returncode == 2
    assert "no section no-such-section: table" in done.stderr


def test_an_unknown_row_is_refused_with_those_there_are() -> None:
    done = bench("table", "--row", "no such row")
    assert done.returncode == 1
    assert f"no such row: no such row; no proxy, {RELAY}, {BARE_LOOP}, {NETPROXY}" in done.stderr
