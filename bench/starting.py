"""The section `start`: `netproxy run -- true` beside bare bwrap, whole commands in turn."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time

from bench.processes import ENVIRONMENT, require
from bench.subjects import NETPROXY_COMMAND


def start(runs: int) -> None:
    """Whole commands in turn, so that both see the same noise."""
    require("bwrap", "sudo apt-get install bubblewrap")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        ours = [
            *NETPROXY_COMMAND,
            "run",
            "--ask",
            "never",
            "--audit-dir",
            f"{folder}/audit",
            "--",
            "true",
        ]
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
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return (time.perf_counter() - began) * 1000
