"""Ending a process tree without a namespace: best effort, for `--no-sandbox` only.

A process that left the tree (setsid, double fork) is reparented to us, because we are its
subreaper (prctl(2)); one that forks faster than /proc is read can win the race. With a namespace
neither is possible, which is why this is not used there.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20


def become_subreaper() -> None:
    """Orphans among our descendants become our children instead of init's."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants(root: int) -> None:
    """SIGKILL to `root`, all below it, and our orphans, until nothing new shows up."""
    spared = {os.getpid()}
    for _ in range(_ROUNDS):
        targets = _tree(root) - spared
        if not targets:
            return
        for pid in targets:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        spared |= targets


def _tree(root: int) -> set[int]:
    """`root` and its descendants, and those of orphans that now are our own children."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [root, *_orphans(root, children)]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def _orphans(root: int, children: dict[int, list[int]]) -> list[int]:
    """Our children in sessions that the tree started: the shipper has a session of its own."""
    return [pid for pid in children.get(os.getpid(), []) if pid != root and _is_orphan(pid)]


def _is_orphan(pid: int) -> bool:
    # Orphans carry the run's mark in their environment; children of our own (the shipper) don't.
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return b"\0NETPROXY_RUN=" in b"\0" + environment


def _parents() -> dict[int, int]:
    parents = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  # a hot loop over names
        if entry.isdigit():
            with suppress(OSError, ValueError):
                stat = Path(f"/proc/{entry}/stat").read_bytes()
                # The name in parentheses may hold anything; fields count from the last one.
                parents[int(entry)] = int(stat.rpartition(b")")[2].split()[1])
    return parents
