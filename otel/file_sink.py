"""A file that others read: records are appended, one line each, and on the disk when this says so.

It may be renamed or replaced at any time, as log rotation does: it is looked up anew for each
batch. Several exporters may append to it: each holds the file's lock meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import TYPE_CHECKING

from otel.answers import Answer, Delivered, TryLater

if TYPE_CHECKING:
    from pathlib import Path

# O_NOFOLLOW: a link in its place would lead our lines into another file. O_NONBLOCK: a FIFO in its
# place must not hang.
_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | os.O_NOFOLLOW
    | os.O_NONBLOCK
    | os.O_CLOEXEC
    | os.O_NOCTTY
)


class FileSink:
    """A file, by its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, int] | None = None  # device and inode of the file last written to

    def send(self, body: bytes, timeout_seconds: float) -> Answer:  # noqa: ARG002  # local disk
        """Append, and wait for the disk. Leaves nothing of a batch that does not fit."""
        try:
            descriptor = os.open(self._path, _FLAGS, 0o600)
            try:
                self._append(descriptor, body)
            finally:
                os.close(descriptor)
        except OSError as error:
            return TryLater(why=error.strerror or str(error))
        return Delivered(rejected=0, message="")

    def _append(self, descriptor: int, body: bytes) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("is not a regular file")
        body = _ending_of_half_a_line(descriptor, found.st_size) + body
        try:
            _write_all(descriptor, body)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, found.st_size)
            raise
        if self._last != (found.st_dev, found.st_ino):
            self._sync_name()
            self._last = (found.st_dev, found.st_ino)

    def _sync_name(self) -> None:
        """A new file is there after a power cut only if its folder is on the disk, too."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_all(descriptor: int, body: bytes) -> None:
    taken = os.write(descriptor, body)
    if taken != len(body):
        raise OSError(f"took {taken} of {len(body)} bytes: disk full?")


def _ending_of_half_a_line(descriptor: int, size: int) -> bytes:
    """Make a line feed where a killed exporter left half a line.

    The half stays, for whoever has read it already; its record comes again as a whole.
    """
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return b""
    return b"\n"
