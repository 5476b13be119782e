"""The section `start`: `netproxy run -- true` beside bare bwrap, whole commands in turn.

With a gateway of its own, as where nothing runs yet, and handed over to a `netproxy serve` that
this section starts and ends. Then many of each at once: one that fails ends the section.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bars import Verdict
from bench.errors import BenchFailed
from bench.peers_table import machine
from bench.ports import free_port
from bench.processes import ENVIRONMENT, require, started
from bench.subjects import NETPROXY_COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BARE, OWN, HANDED = "bare bwrap", "netproxy run", "netproxy run, handed over"
BARE_LAUNCHER = "bare Python launcher"
WITH_FILE = "netproxy run, with a file"
_FILE = '[profiles.default.network]\nallow = ["a.test"]\n'
_BWRAP = "bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp -- true"
_BARE_LAUNCHER = (sys.executable, "-P", str(Path(__file__).with_name("bare_launcher.py")))
_STARTED = b'"netproxy.gateway.started"'
# Two cores, a hundred sandboxes: more than that is no start any more.
_PATIENCE_SECONDS = 120.0


def start(runs: int, at_once: int) -> None:
    """Measure and print. Raises `BenchFailed`. A bar that is missed is told, and no failure."""
    require("bwrap", "sudo apt-get install bubblewrap")
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="netproxy-bench-") as name:
        own, served = _Home(Path(name), "own"), _Home(Path(name), "served")
        with served.gateway():
            commands = {
                BARE: _BWRAP.split(),
                BARE_LAUNCHER: _BARE_LAUNCHER,
                OWN: own.run,
                WITH_FILE: own.run_with_file(),
                HANDED: served.run,
            }
            times = _in_turn(commands, runs)
            if (others := served.gateways() - 1) > 0:
                raise BenchFailed(f"{HANDED}: {others} had a gateway of their own")
            for row, values in times.items():
                print(
                    f"{row:<26} median {statistics.median(values):6.1f} ms"
                    f"   min {min(values):6.1f}   max {max(values):6.1f}"
                )
            for row, home in ((OWN, own), (HANDED, served)):
                before = home.gateways()
                took = together(home.run, at_once)
                own_ones = home.gateways() - before
                print(
                    f"{row:<26} {at_once} at once, until the last has ended: {took:.2f} s, "
                    f"{at_once - own_ones} of them handed over"
                )
    for verdict in verdicts(times):
        print(f"bar: {verdict}")


def verdicts(times: Mapping[str, Sequence[float]]) -> list[Verdict]:
    """The bars. By medians, as machines have bad moments."""
    median = {row: statistics.median(values) for row, values in times.items()}
    found = {
        "with a gateway of its own": (median[OWN], 250.0),
        "handed over, beyond bare bwrap": (median[HANDED] - median[BARE], 60.0),
    }
    return [
        Verdict(what=what, value=value, bound=bound, unit=" ms", is_least=False)
        for what, (value, bound) in found.items()
    ]


class _Home:
    """Where gateways have their sockets and their journals, and nobody else's gateway is found."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name
        self._sockets = self._folder / "sockets"
        self._sockets.mkdir(mode=0o700, parents=True)
        self._audit = self._folder / "audit"
        self._netproxy = ["env", f"XDG_RUNTIME_DIR={self._sockets}", *NETPROXY_COMMAND]
        self._options = ["--ask", "never", "--no-project", "--audit-dir", str(self._audit)]
        self.run = self._run(*self._options)

    def _run(self, *options: str) -> list[str]:
        return [*self._netproxy, "run", *options, "--", "true"]

    def run_with_file(self) -> list[str]:
        """The same, with settings to read: one rule."""
        file = self._folder / "config.toml"
        file.write_text(_FILE)
        return self._run(*self._options, "--config", str(file))

    @contextmanager
    def gateway(self) -> Iterator[None]:
        port = free_port()
        words = ["serve", "--listen", f"127.0.0.1:{port}", "--drain", "0.1", *self._options]
        with started([*self._netproxy, *words], [port], self._folder):
            yield

    def gateways(self) -> int:
        """How many there were: a run that is handed over has none of its own."""
        journals = self._audit.glob("*/*.jsonl")
        return sum(_STARTED in line for each in journals for line in each.open("rb"))


def _in_turn(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, list[float]]:
    """Whole commands in turn, so that all see the same noise; in milliseconds."""
    for row, command in commands.items():
        _timed(row, command)  # modules may be compiled, pages read from the disk
    times: dict[str, list[float]] = {row: [] for row in commands}
    for _ in range(runs):
        for row, command in commands.items():
            times[row].append(_timed(row, command))
    return times


def _timed(row: str, command: Sequence[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT
    )
    if done.returncode:
        raise BenchFailed(f"{row}: {_failure(done.returncode, done.stderr)}")
    return (time.perf_counter() - began) * 1000


def together(command: Sequence[str], count: int) -> float:
    """Seconds until the last of so many at once has ended. Raises `BenchFailed` if one failed."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        for _ in range(count)
    ]
    try:
        # What they say is a line or two: no pipe is full before it is read.
        said = [each.communicate(timeout=_PATIENCE_SECONDS)[1] for each in running]
    except subprocess.TimeoutExpired:
        raise BenchFailed(f"{count} at once: none ended for {_PATIENCE_SECONDS:g} s") from None
    finally:
        for each in running:
            if each.poll() is None:
                each.kill()
    took = time.perf_counter() - began
    ends = [(each.returncode, text) for each, text in zip(running, said, strict=True)]
    if failed := [end for end in ends if end[0]]:
        raise BenchFailed(f"{len(failed)} of {count} at once failed: {_failure(*failed[0])}")
    return took


def _failure(status: int, stderr: bytes) -> str:
    return f"exit {status}: {stderr.decode(errors='replace')[-500:].strip()}"
