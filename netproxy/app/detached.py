"""What was closed to a command by a mount that somebody outside took away meanwhile.

A file that the command may not write, or not see, is a mount of its own in a folder that it may.
Whoever outside puts another file in its place (git config, an editor that saves by renaming), or
removes a folder, takes that mount away in all namespaces (rename(2), rmdir(2)): what comes there
next is as open as the folder around it. Nobody can forbid that, so it is told.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from sandbox.mountpoints import is_mount_point
from sandbox.plan import Access

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.plan import Plan

# linux/fs.h, FS_IOC_GETVERSION: which of those it is that had this inode's number, one by one.
_GET_VERSION = 0x80087601
_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

type File = tuple[int, int, int]  # device, inode, and its version where the file system has them


def look(plan: Plan) -> dict[str, File]:
    """Which files and folders those are that are closed. What isn't there isn't found."""
    found = {}
    for path in plan.would_open():
        with suppress(OSError):
            found[path] = _identity(path)
    return found


def told(plan: Plan, before: Mapping[str, File]) -> Iterator[str]:
    """Say which are others than before, and what of that the command could do: a line each."""
    kept_out = {part.path for part in plan.missing}
    for path, around in plan.would_open().items():
        with suppress(OSError):
            if path in kept_out:
                is_other = _is_somebodys(path)
            else:
                is_other = _identity(path) != before.get(path)
            if is_other:
                could = "change" if around is Access.WRITE else "see"
                yield (
                    f"{path} was put there from outside while the command ran, which could "
                    f"{could} it from then on: look at it"
                )


def _is_somebodys(path: str) -> bool:
    """Whether something is there that lacks the mark. In this order: what is gone is nobody's.

    Whoever built the sandbox may be removing it just now, and another run be making it anew.
    """
    return not is_mount_point(path) and os.path.lexists(path) and not is_mount_point(path)


def _identity(path: str) -> File:
    """Raises `OSError`. What may not be opened has no version, before and after."""
    found, version = os.lstat(path), 0
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return found.st_dev, found.st_ino, version  # opening a device may do something
    with suppress(OSError):
        opened = os.open(path, _LOOK)
        try:
            (version,) = struct.unpack("=l", fcntl.ioctl(opened, _GET_VERSION, bytes(8))[:4])
        finally:
            os.close(opened)
    return found.st_dev, found.st_ino, version
