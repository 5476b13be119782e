"""The load client and the origin (`bench/load`): built, told what to do, and their answers read.

One client process stays for each subject, and runs `pxbench` once for each line that it is sent:
from inside a sandbox there is no other way, and so it is the same for all.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchFailed
from bench.ports import free_port
from bench.processes import LOAD_CORE, child, require, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCES = Path(__file__).resolve().parent / "load"
BUILD_TOOLS = "sudo apt-get install gcc libc6-dev make"
_IDLERS = "127.0.0.2"
# An empty line ends the tunnels that are held (`LoadClient.holding`), and is nothing by itself.
# A client that can't say how it went must not be waited for.
_LOOP = 'while read -r words; do [ -z "$words" ] || "$@" $words || echo failed; done'


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one round of load came to."""

    done: int  # tunnels or requests, none failed
    rate: float  # of them a second
    p50_ms: float
    p99_ms: float
    gigabytes: float
    gigabytes_per_second: float


def read_load(line: str) -> Load:
    """Read the one line that `pxbench` prints. Raises `BenchFailed` if anything went wrong."""
    said = _read(line)
    if said["err"] or not said["ok"]:
        raise BenchFailed(f"{said['err']} failed, {said['ok']} did not: {said['sample_err']}")
    return Load(
        done=said["ok"],
        rate=said["rate"],
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
        gigabytes=said["bytes"] / 1e9,
        gigabytes_per_second=said["gbps"],
    )


def read_ready(line: str, wanted: int) -> None:
    """Read what it says when its tunnels are held. Raises `BenchFailed` unless all are."""
    said = _read(line)
    if said["ready"] != wanted or said["err"]:
        raise BenchFailed(f"{said['ready']} of {wanted} idle tunnels: {said['sample_err']}")


def read_alive(line: str, wanted: int) -> None:
    """Read what it says at the end. Raises `BenchFailed` unless all were still there."""
    if (alive := _read(line)["alive"]) != wanted:
        raise BenchFailed(f"{wanted - alive} of {wanted} idle tunnels were closed by the proxy")


def _read(line: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:
        raise BenchFailed(f"the load client ended early: {line!r}") from None
    return said


class LoadClient:
    """One client of one subject, who opens what it is told to."""

    def __init__(self, process: subprocess.Popen[str], origin: str) -> None:
        self._process = process
        self._origin = origin

    def measure(self, words: str) -> Load:
        """Run `pxbench` with these words. Raises `BenchFailed`."""
        self._tell(f"-t {self._origin} {words}")
        return read_load(self._hear())

    @contextmanager
    def holding(self, count: int, words: str) -> Iterator[None]:
        """Hold so many idle tunnels. Raises `BenchFailed` when one is not made, or is lost.

        They come from an address of their own: see `Lab.quiet_origin`.
        """
        self._tell(f"-t {self._origin} -s {_IDLERS} -m idle -n {count} -c 16 -T 30 {words}")
        read_ready(self._hear(), count)
        yield
        self._tell("")
        read_alive(self._hear(), count)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise BenchFailed("the load client is gone") from None

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def load_client(
    tools: Path, origin: str, folder: Path, *, inside: Sequence[str] = ()
) -> Iterator[tuple[LoadClient, int]]:
    """Start a client; `inside` is the command that puts it into a sandbox. With the pid of that."""
    loop = ["sh", "-c", _LOOP, "sh", *LOAD_CORE, str(tools / "pxbench")]
    with (
        (folder / "client.log").open("wb") as complaints,
        child(
            [*inside, *loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            cwd=folder,
        ) as process,
    ):
        yield LoadClient(process, origin), process.pid


@contextmanager
def origin(tools: Path, folder: Path) -> Iterator[str]:
    """Serve what is asked for; its host and port."""
    port = free_port()
    with started([*LOAD_CORE, str(tools / "origin"), str(port)], [port], folder):
        yield f"127.0.0.1:{port}"


def build(folder: Path) -> Path:
    """Compile client, origin and relay into `folder`. Raises `BenchFailed`: what is missing."""
    require("taskset", "sudo apt-get install util-linux")
    require("make", BUILD_TOOLS)
    make = ["make", "-s", "-C", str(SOURCES), f"OUT={folder}"]
    done = subprocess.run(make, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchFailed(f"{done.stderr}the load tools can't be built; type: {BUILD_TOOLS}")
    return folder
