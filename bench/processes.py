"""The processes that are measured: started on one core, watched through /proc, ended by id."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BenchFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
# Proxies alone on one core, clients and origin on another.
PROXY_CORE = ("taskset", "-c", str(CORES[0]))
LOAD_CORE = ("taskset", "-c", str(CORES[-1]))
# mitmdump takes two seconds to start on a busy machine.
START_SECONDS = 20.0
END_SECONDS = 10.0
# A start that compiles every module anew is nobody's start.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def require(program: str, install: str) -> None:
    """Raise `BenchFailed`, with the command to type, where a program is missing."""
    if shutil.which(program) is None:
        raise BenchFailed(f"{program} is missing; type: {install}")


def take_descriptors(count: int) -> int:
    """Let this process and those that it starts have so many, or as many as it may; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for possible in (count, min(count, hard)):
        with suppress(ValueError, PermissionError):
            # No more than that: dante goes over all that it may have, each time that it forks.
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, max(possible, hard)))
            return possible
    raise AssertionError("the soft limit can be set to the hard one")


def idle_tunnels(wanted: int) -> int:
    """As many as can be held, or as this user may; then with a line on it."""
    # Two descriptors for each, and some that every process has or keeps back.
    possible = (take_descriptors(2 * wanted + 500) - 500) // 2
    if possible < wanted:
        print(f"{possible:,} idle tunnels instead of {wanted:,}: see ulimit -Hn")
    return possible


class Stat(NamedTuple):
    """What /proc/PID/stat says of one process (proc_pid_stat(5))."""

    pid: int
    name: str
    parent: int
    ticks: int  # user and system, of its own and of children that it has waited for


def read_stat(text: str) -> Stat:
    """Read one line. The name may hold anything, a bracket too."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()
    return Stat(int(pid), name, int(fields[1]), sum(map(int, fields[11:15])))


def family_of(root: int, processes: Sequence[Stat], *, without: str | None = None) -> list[Stat]:
    """Return `root` and all below it, but for those named `without` and what is below them."""
    found = [each for each in processes if each.pid == root]
    for parent in found:  # which grows meanwhile
        found += (each for each in processes if each.parent == parent.pid and each.name != without)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A proxy: the process that was started, and its descendants."""

    root: int
    # The sandbox that a gateway has made, with the load client in it, is no part of the proxy.
    without: str | None = None

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(each.ticks for each in self._family()) / TICKS

    def memory_kib(self) -> int:
        """What it has in memory; pages that several of its processes share count once."""
        return sum(_proportional_kib(each.pid) for each in self._family())

    def descriptors(self) -> int:
        """How many are open."""
        return sum(len(list(Path(f"/proc/{each.pid}/fd").iterdir())) for each in self._family())

    def _family(self) -> list[Stat]:
        return family_of(self.root, _processes(), without=self.without)


def _processes() -> list[Stat]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append(read_stat((entry / "stat").read_text(errors="replace")))
    return found


def _proportional_kib(pid: int) -> int:
    """Pss: a page that n processes share counts as an n-th of one for each."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise BenchFailed(f"/proc/{pid}/smaps_rollup has no Pss")


class Others:
    """Counts, from when it is made, what everything on this machine takes but for this program."""

    def __init__(self) -> None:
        self._me = Tree(root=os.getpid())
        self._began, self._before = time.monotonic(), self._seconds()

    def cores(self) -> float:
        """How many cores that kept busy, on an average. To be asked before anybody has ended."""
        return max(0.0, self._seconds() - self._before) / (time.monotonic() - self._began)

    def _seconds(self) -> float:
        with Path("/proc/stat").open("rb") as stat:
            return busy_ticks(stat.readline()) / TICKS - self._me.cpu_seconds()


def busy_ticks(line: bytes) -> int:
    """Read the first line of /proc/stat (proc_stat(5)): all but idle, iowait and guest times."""
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return user + nice + system + irq + softirq + steal


@contextmanager
def started(command: Sequence[str], ports: Sequence[int], folder: Path) -> Iterator[int]:
    """Start a server that writes into `folder`; its pid, once all its ports answer."""
    log = folder / "output.log"
    with (
        log.open("wb") as output,
        child(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
        ) as process,
    ):
        for port in ports:
            _wait_for(port, process, log)
        yield process.pid


@contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process in a session of its own, and end it with the block."""
    process = None
    try:
        with held_back():
            process = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, **options)
        yield process
    finally:
        if process is not None:
            end(process)


@contextmanager
def held_back() -> Iterator[None]:
    """Hear after the block who tells us to end: a process that is starting would be lost."""
    told: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: told.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for each in told:
        signal.raise_signal(each)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Ask it to end, and kill what is left of its session."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(END_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    said = log.read_text(errors="replace")[-2000:]
    raise BenchFailed(f"{process.args!r} does not listen on {port}; it said:\n{said}")
