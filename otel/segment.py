"""The file under the journal: append whole lines, sync, and find the end of what was written.

A line is written by one write(2) in append mode, so a reader sees all of it or, after a crash or
on a full disk, a part without a line feed: a torn tail.
"""

from __future__ import annotations

import os
from typing import Protocol

from otel import folders
from otel.chain import MAX_LINE
from otel.space import Space
from otel.values import dataclass

_BLOCK = 64 * 1024


class SegmentFile(Protocol):
    """What the journal asks of its file. Methods raise OSError."""

    def write(self, data: bytes) -> int:
        """Append, and return how many bytes were taken."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self) -> None:
        """Return when all data is on the disk."""

    def is_there(self) -> bool:
        """Whether a folder still names it: what nobody can open is not on record."""

    def close(self) -> None:
        """Close without syncing."""


class Segment:
    """A segment file on a local disk."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        """Append by one system call."""
        return os.write(self._descriptor, data)

    def truncate(self, size: int) -> None:
        """Cut the file."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """fdatasync(2): data and the size, which is all that an append changes."""
        os.fdatasync(self._descriptor)

    def is_there(self) -> bool:
        """Count its links."""
        return os.fstat(self._descriptor).st_nlink > 0

    def close(self) -> None:
        """Close without syncing."""
        os.close(self._descriptor)


class Shelf(Protocol):
    """Where a journal's segments are kept. Methods raise OSError."""

    def begin(self, number: int) -> SegmentFile:
        """Make a segment that was not there, durably."""

    def last_line(self, number: int, size: int) -> bytes | None:
        """Read the line that ends at `size` of a segment, from its file opened anew."""

    def cut_back(self, number: int, size: int) -> None:
        """Cut a segment to `size`, durably, through its file opened anew."""

    def space(self) -> Space:
        """Ask how much the disk has left."""

    def keep_ballast(self, size: int) -> int:
        """Keep `size` bytes of the disk, if less is kept, and return how many are."""

    def drop_ballast(self) -> None:
        """Give them back."""

    def close(self) -> None:
        """Close what is held open."""


class WriterFolder:
    """A writer's folder, which it owns."""

    __slots__ = ("_folder",)

    def __init__(self, folder: int) -> None:
        self._folder = folder

    def begin(self, number: int) -> Segment:
        """Make it: O_EXCL, since a file that is there already is somebody else's doing."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL
        return Segment(folders.make_file(self._folder, folders.segment_name(number), flags))

    def last_line(self, number: int, size: int) -> bytes | None:
        """Read it; None where there is none, or the file is shorter."""
        descriptor = self._reopen(number, os.O_RDONLY)
        try:
            if os.fstat(descriptor).st_size < size:
                return None
            return _last_line(descriptor, size)
        finally:
            os.close(descriptor)

    def cut_back(self, number: int, size: int) -> None:
        """Cut it."""
        descriptor = self._reopen(number, os.O_RDWR)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def space(self) -> Space:
        """Ask the file system."""
        found = os.fstatvfs(self._folder)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def keep_ballast(self, size: int) -> int:
        """Keep a file of real blocks; one that is there already does, if it is no smaller."""
        descriptor = folders.open_for_writing(self._folder, folders.BALLAST, os.O_RDWR)
        try:
            if (kept := os.fstat(descriptor).st_size) < size:
                os.posix_fallocate(descriptor, 0, size)
                kept = size
        finally:
            os.close(descriptor)
        return kept

    def drop_ballast(self) -> None:
        """Remove the file."""
        os.unlink(folders.BALLAST, dir_fd=self._folder)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._folder)

    def _reopen(self, number: int, flags: int) -> int:
        return folders.open_there(self._folder, folders.segment_name(number), flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """How the newest segment ended when it was opened."""

    number: int
    size: int  # of whole lines
    torn_bytes: int
    last_line: bytes | None  # without its line feed, from this segment or one before it


def open_last(folder: int) -> tuple[Segment, Tail]:
    """Open the newest segment for appending, with a torn tail cut off."""
    numbers = folders.segment_numbers(folder) or [1]
    name = folders.segment_name(numbers[-1])
    descriptor = folders.open_for_writing(folder, name, os.O_RDWR | os.O_APPEND)
    segment = Segment(descriptor)
    size = os.fstat(descriptor).st_size
    whole = _whole_size(descriptor, size)
    if whole < size:
        segment.truncate(whole)
        segment.sync()
    last_line = _last_line(descriptor, whole)
    if last_line is None:
        last_line = _last_line_before(folder, numbers[:-1])
    return segment, Tail(
        number=numbers[-1], size=whole, torn_bytes=size - whole, last_line=last_line
    )


def _whole_size(descriptor: int, size: int) -> int:
    """Offset behind the last line feed."""
    return _find_back(descriptor, size) + 1


def _last_line(descriptor: int, size: int) -> bytes | None:
    if not size:
        return None
    start = _find_back(descriptor, size - 1) + 1
    return os.pread(descriptor, min(size - 1 - start, MAX_LINE), start)


def _last_line_before(folder: int, numbers: list[int]) -> bytes | None:
    for number in reversed(numbers):
        name = folders.segment_name(number)
        descriptor = folders.open_for_writing(folder, name, os.O_RDONLY)
        try:
            whole = _whole_size(descriptor, os.fstat(descriptor).st_size)
            line = _last_line(descriptor, whole)
        finally:
            os.close(descriptor)
        if line is not None:
            return line
    return None


def _find_back(descriptor: int, end: int) -> int:
    """Offset of the last line feed before `end`, or -1."""
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1
