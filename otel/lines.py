"""Whole lines of one writer's segments, from a position on, while it may still be writing.

Half a line is never given out: it may become whole. Used by whoever follows a journal (`reader`,
`backlog`); `verification` reads for itself, because half a line is what it looks for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel import folders
from otel.chain import MAX_LINE
from otel.errors import JournalBroken
from otel.folders import START, Position
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# About 1500 records: few system calls, little memory.
_CHUNK = 1024 * 1024
# Nearly every line is shorter.
_LINE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line feed, and the position behind it."""

    data: bytes
    end: Position

    def place(self, folder: Path) -> str:
        """Say where the line is, for a message."""
        offset = self.end.offset - len(self.data) - 1
        return f"{folder / folders.segment_name(self.end.segment)} at byte {offset}"


class LineReader:
    """Reads on from its position at each call. Holds no file open in between."""

    def __init__(self, folder: Path, position: Position = START) -> None:
        self._folder = folder
        self.position = position

    def read(self) -> list[Line]:
        """Some of the next lines; none when there are none now."""
        while True:
            lines = self._read_segment()
            if lines or not self._next_segment():
                return lines

    def __iter__(self) -> Iterator[Line]:
        """All lines that are there now."""
        while lines := self.read():
            yield from lines

    def _read_segment(self) -> list[Line]:
        path = self._folder / folders.segment_name(self.position.segment)
        try:
            descriptor = folders.open_for_reading(path)
        except FileNotFoundError:
            return []
        try:
            chunk = os.pread(descriptor, _CHUNK, self.position.offset)
            if b"\n" not in chunk and len(chunk) == _CHUNK:
                chunk = os.pread(descriptor, MAX_LINE + 1, self.position.offset)
        finally:
            os.close(descriptor)
        if b"\n" not in chunk and len(chunk) > MAX_LINE:
            raise JournalBroken(f"{path}: a line of more than {MAX_LINE} bytes")
        return self._split(chunk)

    def _split(self, chunk: bytes) -> list[Line]:
        segment, offset = self.position.segment, self.position.offset
        lines = []
        for data in chunk.split(b"\n")[:-1]:
            offset += len(data) + 1
            lines.append(Line(data, Position(segment, offset)))
        self.position = Position(segment, offset)
        return lines

    def _next_segment(self) -> bool:
        """Move on when a later segment exists: then this one gets no more lines."""
        later = [n for n in folders.segment_numbers(self._folder) if n > self.position.segment]
        if later:
            self.position = Position(later[0], 0)
        return bool(later)


def position_before_last(folder: Path, count: int) -> Position:
    """Where the last `count` lines of a writer begin, without reading what is before them."""
    position = START
    for number in reversed(folders.segment_numbers(folder)):
        descriptor = folders.open_for_reading(folder / folders.segment_name(number))
        try:
            offset, count = _skip_back(descriptor, count)
        finally:
            os.close(descriptor)
        position = Position(number, offset)
        if count == 0:
            break
    return position


def _skip_back(descriptor: int, count: int) -> tuple[int, int]:
    """Offset of the line `count` lines before the end, and how many lines were missing to that."""
    end = os.fstat(descriptor).st_size
    wanted = count + 1  # the line feed that ends the line before the first one
    while end > 0:
        start = max(0, end - _CHUNK)
        chunk = os.pread(descriptor, end - start, start)
        found = len(chunk)
        while wanted and (found := chunk.rfind(b"\n", 0, found)) >= 0:
            wanted -= 1
        if wanted == 0:
            return start + found + 1, 0
        end = start
    return 0, wanted - 1


def first_line(folder: Path, number: int) -> bytes | None:
    """The first whole line of a segment without its line feed; None where there is none."""
    descriptor = folders.open_for_reading(folder / folders.segment_name(number))
    try:
        block = os.pread(descriptor, _LINE, 0)
        if b"\n" not in block and len(block) == _LINE:
            block = os.pread(descriptor, MAX_LINE + 1, 0)
    finally:
        os.close(descriptor)
    line, feed, _ = block.partition(b"\n")
    return line if feed else None


def last_line(folder: Path, number: int) -> bytes | None:
    """The last whole line of a segment without its line feed; None where there is none."""
    descriptor = folders.open_for_reading(folder / folders.segment_name(number))
    try:
        offset, _ = _skip_back(descriptor, 1)
        line, feed, _ = os.pread(descriptor, MAX_LINE + 1, offset).partition(b"\n")
    finally:
        os.close(descriptor)
    return line if feed else None
