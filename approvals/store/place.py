"""Where the store's files lie: files that are this user's alone, on a disk of this host.

Whoever can write the store can allow himself everything, so nothing that others could have put
there is taken for ours; SQLite's locks and shared memory do not work across hosts
(sqlite.org/wal.html), so a network file system is refused instead of corrupting the store later.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from approvals.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# What SQLite keeps beside the file, named after it.
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
# f_type of statfs(2) for file systems that other hosts may share: linux/magic.h and smb2glob.h.
_SHARED: Final = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x73757245: "Coda",
    0x564C: "NCP",
    0x47504653: "GPFS",
    0x0BD00BD0: "Lustre",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
}
_STATFS_BYTES: Final = 256  # more than struct statfs has on any architecture


def prepare(path: Path) -> tuple[int, int]:
    """Make the folder and an empty file if there is none; which file it is: device and inode.

    Raises `StoreUnavailable` in one line for what isn't ours or can't be made.
    """
    try:
        if not path.exists():
            # XDG base directories: for this user only.
            _make_folder(path.parent)
        with _folder(path.parent) as folder:
            _check_folder(folder, path.parent)
            # Never opened when it is there: closing it again would let the locks go that another
            # connection of this process has on it (sqlite.org/howtocorrupt.html, section 2.2).
            with suppress(FileExistsError):
                os.close(os.open(path.name, _NEW, 0o600, dir_fd=folder))
                os.fsync(folder)  # what was acknowledged needs a name, too
            for suffix in _COMPANIONS:
                _check_file(folder, path.name + suffix, path.parent)
            found = os.lstat(path.name, dir_fd=folder)
            return found.st_dev, found.st_ino
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error


def is_still(path: Path, identity: tuple[int, int]) -> bool:
    """Whether the file that has this name is the one that `prepare` found."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == identity


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Inside, no other process of ours makes or changes the store's tables."""
    with _folder(path.parent) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(path: Path) -> None:
    if not path.exists():
        _make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        with _folder(path.parent) as parent:
            os.fsync(parent)


def _check_folder(folder: int, path: Path) -> None:
    found = os.fstat(folder)
    if found.st_uid != os.geteuid():
        raise StoreUnavailable(f"{path}: belongs to user {found.st_uid}, not to {os.geteuid()}")
    if found.st_mode & _OTHERS_WRITE:
        raise StoreUnavailable(f"{path}: others may write to it; run: chmod 700 {path}")
    if (kind := _SHARED.get(_file_system(folder))) is not None:
        raise StoreUnavailable(f"{path}: on {kind}; the store needs a disk of this host")


def _check_file(folder: int, name: str, path: Path) -> None:
    try:
        found = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailable(f"{path / name}: not a regular file")
    if found.st_uid != os.geteuid():
        raise StoreUnavailable(
            f"{path / name}: belongs to user {found.st_uid}, not to {os.geteuid()}"
        )
    if found.st_mode & _OTHERS:
        raise StoreUnavailable(f"{path / name}: others may use it; run: chmod 600 {path / name}")
    if found.st_nlink > 1:
        raise StoreUnavailable(f"{path / name}: has a second name; SQLite would lose track of it")


def _file_system(descriptor: int) -> int:
    """f_type, the first word of struct statfs on Linux; 0 where there is no such call."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    try:
        failed = ctypes.CDLL(None, use_errno=True).fstatfs(descriptor, buffer)
    except AttributeError:
        return 0
    return 0 if failed else ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF
