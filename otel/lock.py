"""The lock of a writer's folder: who holds it is the only process that appends there.

flock(2) belongs to the open file description: the kernel frees it when the process dies, however it
dies. Whoever looks whether a writer is live takes a shared lock for a moment; a process that looks
for a free writer at that moment passes on to the next one.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from otel import folders
from otel.errors import JournalBroken

if TYPE_CHECKING:
    from pathlib import Path


def try_lock(folder: int, name: str) -> int | None:
    """Take the exclusive lock `name` in a folder; its descriptor, or None if another holds it."""
    descriptor = folders.open_for_writing(folder, name, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_live(folder: Path, name: str = folders.LOCK) -> bool:
    """Whether a process holds this lock now: the usual one, who writes in the folder.

    A lock that can't be opened is nobody's as far as can be seen: an auditor may read no more than
    the records of a copy, and `try_lock` looks for itself.
    """
    try:
        descriptor = folders.open_for_reading(folder / name)
    except (OSError, JournalBroken):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
