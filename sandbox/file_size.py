"""How big a file may get (RLIMIT_FSIZE): lifted for what we write ourselves, not for the command.

A journal is longer than the files that somebody lets a command write (`ulimit -S -f`), and so may
be what the sandbox is built from. Only the soft limit can be lifted: the hard one is the
administrator's, or the caller's last word. The kernel has one for all of a process, and so have we.
"""

from __future__ import annotations

import resource

_callers: list[tuple[int, int]] = []  # soft and hard; none where it was as high as can be


def lift() -> None:
    """Once, before anything is written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft != hard:
        _callers[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def orders() -> tuple[str, ...]:
    """What has the monitor give the command its caller's (`sandbox.linux.monitor`)."""
    return tuple(f"limit={resource.RLIMIT_FSIZE} {soft} {hard}" for soft, hard in _callers)


def give_back() -> None:
    """For who becomes the command."""
    for callers in _callers:
        resource.setrlimit(resource.RLIMIT_FSIZE, callers)
