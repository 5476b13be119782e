"""The section `cancel`: from the decision to the last process of a stubborn family gone."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.processes import ENVIRONMENT, require
from bench.subjects import NETPROXY_COMMAND

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
    require("curl", "sudo apt-get install curl")
    values = [_cancel_once(number) for number in range(rounds)]
    print(
        "from the decision to the last of its processes gone, a grace of 50 ms included: "
        f"median {statistics.median(values):.1f} ms   max {max(values):.1f} ms"
    )


def _cancel_once(number: int) -> float:
    mark = f"9{os.getpid()}{number:03d}"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        command = [
            *NETPROXY_COMMAND,
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
            [*command, "--", "bash", "-c", script], stderr=subprocess.DEVNULL, env=ENVIRONMENT
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
