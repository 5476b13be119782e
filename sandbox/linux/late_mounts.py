"""Mounts that are too many for bwrap: it takes 9,000 words, and reads all mounts anew for each.

Runs in the helper, in the sandbox's mount namespace, once bwrap is done. Each path is mounted on
itself, with what is mounted below it, and read-only if it shall be; so nothing is opened by this.
The path is walked once and without links, so that what is mounted is what it is mounted on
(openat2(2), open_tree(2), mount_setattr(2), move_mount(2)).
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Since 5.1 all architectures give new calls the same numbers (asm-generic/unistd.h).
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000  # linux/fcntl.h
_OPEN_TREE_CLONE = 1  # linux/mount.h, and the next three
_FROM_EMPTY_PATH, _TO_EMPTY_PATH = 0x4, 0x40
_MOUNT_ATTR_RDONLY = 0x1
_RESOLVE_NO_SYMLINKS = 0x4  # linux/openat2.h


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount_all(kernel: ctypes.CDLL, paths: Iterable[tuple[str, bool]]) -> None:
    """Mount each on itself, in order; with True it is read-only from then on. Raises OSError.

    The sandbox's self-proof was before this, so what is read-only is looked at again.
    """
    how = _OpenHow(flags=os.O_PATH | os.O_CLOEXEC, mode=0, resolve=_RESOLVE_NO_SYMLINKS)
    read_only = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY)

    def opened(path: str) -> int:
        name, size = os.fsencode(path), ctypes.sizeof(how)  # not all names are UTF-8
        return _call(kernel, path, _OPENAT2, _AT_FDCWD, name, ctypes.byref(how), size)

    for path, is_read_only in paths:
        place = opened(path)
        try:
            flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
            tree = _call(kernel, path, _OPEN_TREE, place, b"", flags)
            try:
                if is_read_only:
                    size = ctypes.sizeof(read_only)
                    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
                    attributes = ctypes.byref(read_only)
                    _call(kernel, path, _MOUNT_SETATTR, tree, b"", flags, attributes, size)
                flags = _FROM_EMPTY_PATH | _TO_EMPTY_PATH
                _call(kernel, path, _MOVE_MOUNT, tree, b"", place, b"", flags)
            finally:
                os.close(tree)
        finally:
            os.close(place)
        if is_read_only:
            found = opened(path)
            try:
                if not os.fstatvfs(found).f_flag & os.ST_RDONLY:
                    raise OSError(errno.EPERM, "it can be written though mounted read-only", path)
            finally:
                os.close(found)


def _call(kernel: ctypes.CDLL, path: str, *words: object) -> int:
    result: int = kernel.syscall(*words)
    if result < 0:
        number = ctypes.get_errno()
        hint = "; this takes Linux 5.12" if number == errno.ENOSYS else ""
        raise OSError(number, f"{os.strerror(number)}{hint}", path)
    return result
