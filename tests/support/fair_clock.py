"""A clock that stands still while others have the machine.

A limit on how long something takes is a claim about us, and a busy machine breaks it. So what our
threads waited for a core, ready to go on, is not counted. Linux keeps that for each of them
(Documentation/scheduler/sched-stats.rst: the second number of /proc/<pid>/schedstat, nanoseconds).
Waiting for anything else, a disk, a lock, an answer, counts.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class FairClock:
    """Reads 0.0 at first. Of this process, and of others whose work is waited for."""

    def __init__(self, *others: int) -> None:
        self._pids = (os.getpid(), *others)
        self.restart()

    def restart(self) -> None:
        """Read 0.0 again."""
        self._queued = self._in_queue()
        self._began = time.monotonic()

    def __call__(self) -> float:
        """Seconds since then."""
        passed, before = time.monotonic() - self._began, self._queued
        queued = sum(now - before.get(thread, 0) for thread, now in self._in_queue().items())
        return passed - queued / 1e9

    def _in_queue(self) -> dict[Path, int]:
        """For each thread that there is: one that has ended takes its number along."""
        found = {}
        for pid in self._pids:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    found[thread] = int((thread / "schedstat").read_text().split()[1])
        return found


def share() -> float:
    """Of a core, what each thread of the machine that could run has had in the last minute.

    For whole commands, which start processes that nobody can name.
    """
    return min(1.0, (os.cpu_count() or 1) / max(os.getloadavg()[0], 0.1))
