"""The file under the journal: append whole lines, sync, and find the end of what was written.

A line is written by one write(2) in append mode, so a reader sees all of it or, after a crash or
on a full disk, a part without a line feed: a torn tail.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from otel import folders
from otel.chain import MAX_LINE

_BLOCK = 64 * 1024


class SegmentFile(Protocol):
    """What the journal asks of its file. Methods raise OSError."""

    def write(self, data: bytes) -> int:
        """Append, and return how many bytes were taken."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self) -> None:
        """Return when all data is on the disk."""

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

    def close(self) -> None:
        """Close without syncing."""
        os.close(self._descriptor)


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
