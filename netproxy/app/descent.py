"""Whether a process is one of our own run's: then it is who is asked about, and may not answer."""

from __future__ import annotations

from pathlib import Path

_PARENT_FIELD = 1  # behind the name, which may hold spaces and brackets: state, then the parent
# Deeper than any tree of processes: pid_max of a 64-bit kernel.
_MOST_STEPS = 4_194_304


def descends_from(pid: int, ancestor: int) -> bool:
    """Whether `pid` was started by `ancestor`, or by one that it started, or is that itself.

    A process that was orphaned counts as long as `ancestor` is its subreaper. One that is gone, or
    of another pid namespace (0), can't be told from one of ours: it counts, too.
    """
    for _ in range(_MOST_STEPS):
        if pid == ancestor:
            return True
        if pid == 1:
            return False
        parent = _parent(pid)
        if parent is None or pid <= 0:
            return True
        if parent == 0:  # a kernel thread, or the first process of a namespace that we see
            return False
        pid = parent
    return True


def _parent(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[_PARENT_FIELD])
