"""`make bench`: where we stand beside the named peers, every peer in turn in one run.

Sections: `start` (netproxy run -- true beside bare bwrap), `cancel` (from the decision to the last
process gone), `tunnels` (CONNECT and SOCKS5 from inside the sandbox beside the C relay, which has
no policy and no log), `policy` (decisions beside a linear list). Ratios are what counts: absolute
figures move by 30 % between machines. What came out: `bench/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # A protocol in; tunnels/s and CPU µs a tunnel out.
    type Measure = Callable[[str], tuple[float, float]]

HERE = Path(__file__).resolve().parent
NETPROXY = [str(Path(sys.executable).with_name("netproxy"))]
TICKS = os.sysconf("SC_CLK_TCK")
# Proxies alone on one core, clients and origin on another.
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = ["taskset", "-c", f"{CORES[0]}"], ["taskset", "-c", f"{CORES[-1]}"]
ROUNDS, SECONDS = 3, 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help="start, cancel, tunnels, policy; default: all")
    parser.add_argument("--runs", type=int, default=21, help="of each command in `start`")
    options = parser.parse_args()
    sections = {
        "start": lambda: start(options.runs),
        "cancel": lambda: cancel(rounds=10),
        "tunnels": tunnels,
        "policy": policy,
    }
    for name in options.sections or sections:
        print(f"== {name}", flush=True)
        sections[name]()


def _require(program: str, package: str) -> None:
    if shutil.which(program) is None:
        sys.exit(f"bench: {program} is missing; type: sudo apt-get install {package}")


# start

# A start that compiles every module anew is nobody's start.
_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def start(runs: int) -> None:
    """Whole commands in turn, so that both see the same noise."""
    _require("bwrap", "bubblewrap")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ours = [*NETPROXY, "run", "--ask", "never", "--audit-dir", f"{folder}/audit", "--", "true"]
        bare = "bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp -- true"
        times: dict[str, list[float]] = {"netproxy run": [], "bare bwrap": []}
        for _ in range(runs):
            times["netproxy run"].append(_timed(ours))
            times["bare bwrap"].append(_timed(bare.split()))
    for name, values in times.items():
        print(
            f"{name:<14} median {statistics.median(values):6.1f} ms"
            f"   min {min(values):6.1f}   max {max(values):6.1f}"
        )


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=_ENVIRONMENT)
    return (time.perf_counter() - began) * 1000


# cancel

_FAMILY = """
trap '' TERM
for n in 1 2 3 4 5 6 7 8; do (trap '' TERM; sleep MARK) & done
setsid sh -c 'trap "" TERM; sleep MARK & sleep MARK' &
sleep 0.3
curl -s -o /dev/null http://denied.test/
sleep MARK
"""


def cancel(rounds: int) -> None:
    """Grandchildren and a daemon that ignore SIGTERM; from the journal's clock to the last exit."""
    _require("curl", "curl")
    values = [_cancel_once(number) for number in range(rounds)]
    print(
        "from the decision to the last of its processes gone, a grace of 50 ms included: "
        f"median {statistics.median(values):.1f} ms   max {max(values):.1f} ms"
    )


def _cancel_once(number: int) -> float:
    mark = f"9{os.getpid()}{number:03d}"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        command = [
            *NETPROXY,
            "run",
            "--audit-dir",
            folder,
            "--deny",
            "denied.test",
            "--ask",
            "never",
        ]
        script = _FAMILY.replace("MARK", mark)
        run = subprocess.Popen(
            [*command, "--", "bash", "-c", script], stderr=subprocess.DEVNULL, env=_ENVIRONMENT
        )
        deadline = time.monotonic() + 5
        while len(pids := _marked(mark)) < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        last = _wait_all(pids)
        run.wait(10)
        assert run.returncode == 77, run.returncode
        return last - _decided(Path(folder))


def _marked(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _wait_all(pids: list[int]) -> float:
    """CLOCK_MONOTONIC in ms when the last of them was gone."""
    poller = select.poll()
    handles = {}
    for pid in pids:
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            handles[handle] = pid
            poller.register(handle, select.POLLIN)
    last = 0.0
    while handles:
        for handle, _ in poller.poll(10_000):
            last = time.monotonic_ns() / 1e6
            poller.unregister(handle)
            os.close(handle)
            del handles[handle]
    return last


def _decided(folder: Path) -> float:
    for segment in folder.glob("*/*.jsonl"):
        for line in segment.read_text().splitlines():
            record = json.loads(line)
            if record["name"] == "netproxy.policy_decision":
                return int(record["mono_ns"]) / 1e6
    raise AssertionError("no decision in the journal")


# policy


def policy() -> None:
    """In a process of its own, whose memory is that of the rules."""
    subprocess.run([sys.executable, str(HERE / "policy.py")], check=True)


# tunnels


def tunnels() -> None:
    """Each row: best of three, CPU of the proxy's process, and the ratio to the C relay."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        _build(folder)
        with _origin(folder) as to:
            with _relay(folder, to) as measure:
                limit = _best(measure, "connect")
            _row("C relay, no policy, no log", limit, limit)
            with _ours(folder, to) as measure:
                for protocol in ("connect", "socks5"):
                    _row(f"netproxy {protocol}, from inside", _best(measure, protocol), limit)


def _build(folder: str) -> None:
    """Compile the load client, the origin and the relay, or say what is missing and leave."""
    _require("make", "build-essential")
    _require("taskset", "util-linux")
    make = ["make", "-s", "-C", str(HERE / "load"), f"OUT={folder}"]
    done = subprocess.run(make, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"{done.stderr}bench: the load tools can't be built; "
            "type: sudo apt-get install build-essential libssl-dev"
        )


def _best(measure: Measure, protocol: str) -> tuple[float, float]:
    """The best rate of three, with CPU µs a tunnel."""
    return max(measure(protocol) for _ in range(ROUNDS))


def _row(name: str, found: tuple[float, float], limit: tuple[float, float]) -> None:
    rate, cost = found
    print(
        f"{name:<32} {rate:8.0f} tunnels/s   {cost:6.1f} CPU µs a tunnel"
        f"   {cost / limit[1]:5.2f} x the relay's",
        flush=True,
    )


def _load(folder: str, to: str) -> list[str]:
    words = f"-m connrate -t {to} -c 16 -T {SECONDS} -n 1000000"
    return [*LOAD_CORE, f"{folder}/pxbench", *words.split()]


def _judge(pid: int, before: float, line: bytes | str) -> tuple[float, float]:
    done = json.loads(line)
    assert done["err"] == 0, done
    return done["rate"], (_cpu_seconds(pid) - before) / done["ok"] * 1e6


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def _origin(folder: str) -> Iterator[str]:
    port = _free_port()
    with _started([*LOAD_CORE, f"{folder}/origin", str(port)], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def _relay(folder: str, to: str) -> Iterator[Measure]:
    port = _free_port()
    with _started([*PROXY_CORE, f"{folder}/relay", str(port)], port) as pid:

        def measure(protocol: str) -> tuple[float, float]:
            before = _cpu_seconds(pid)
            load = [*_load(folder, to), "-p", protocol, "-x", f"127.0.0.1:{port}"]
            return _judge(pid, before, subprocess.check_output(load))

        yield measure


_LISTENERS = {"connect": "127.0.0.1:3128", "socks5": "127.0.0.1:1080"}
# The load is the sandboxed command: one round for each line that it reads.
_ROUNDS = 'while read -r protocol proxy; do "$@" -p "$protocol" -x "$proxy"; done'


@contextmanager
def _ours(folder: str, to: str) -> Iterator[Measure]:
    command = [*PROXY_CORE, *NETPROXY, "run", "--audit-dir", f"{folder}/audit", "--allow", to]
    command += ["--ask", "never", "--", "sh", "-c", _ROUNDS, "sh", *_load(folder, to)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        orders, results, pid = run.stdin, run.stdout, run.pid

        def measure(protocol: str) -> tuple[float, float]:
            before = _cpu_seconds(pid)
            orders.write(f"{protocol} {_LISTENERS[protocol]}\n")
            orders.flush()
            return _judge(pid, before, results.readline())

        yield measure


@contextmanager
def _started(command: list[str], port: int) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield process.pid
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError(f"nothing listens on {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
