"""Goes on after a failed sync: in a new segment, with a copy of what may have been lost.

The descriptor whose sync failed is never asked again: the kernel may have marked the pages as clean
and would report success (the fsync problem of PostgreSQL in 2018). The old file is opened anew,
looked at, and cut to what was on the disk for certain; the records since then are written to the
next segment, byte for byte, so that numbers, hashes and uids that somebody saw stay true.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from otel import chain
from otel.errors import JournalBroken, MalformedRecord

if TYPE_CHECKING:
    from otel.segment import SegmentFile, Shelf
    from otel.unsynced import At, Unsynced

# Each failed attempt may leave an empty segment behind.
_ATTEMPTS = 100


def begin_anew(shelf: Shelf, unsynced: Unsynced) -> tuple[SegmentFile, int, int]:
    """Return the new segment, its number and size. Raises OSError or `JournalBroken`.

    Nobody may write meanwhile. When it fails, it may be called again.
    """
    good = unsynced.good
    _check(shelf, good)
    shelf.cut_back(good.segment, good.size)
    for number in range(good.segment + 1, unsynced.now.segment + 1):
        shelf.cut_back(number, 0)
    segment, number = _begin(shelf, unsynced.now.segment + 1)
    lines = unsynced.lines()
    try:
        _fill(segment, lines)
    except OSError:
        segment.close()
        with suppress(OSError):
            shelf.cut_back(number, 0)
        raise
    return segment, number, len(lines)


def _check(shelf: Shelf, good: At) -> None:
    """What was on the disk must be there still: else there is nothing to go on from."""
    if not good.size:
        return
    line = shelf.last_line(good.segment, good.size)
    try:
        found = None if line is None else chain.parse(line).digest
    except MalformedRecord:
        found = None
    if found != good.end.digest:
        raise JournalBroken(f"record {good.end.seq}, which was on the disk, is not there any more")


def _begin(shelf: Shelf, number: int) -> tuple[SegmentFile, int]:
    for attempt in range(number, number + _ATTEMPTS):
        try:
            return shelf.begin(attempt), attempt
        except FileExistsError:
            shelf.cut_back(attempt, 0)
    raise JournalBroken("no further segment can be begun")


def _fill(segment: SegmentFile, lines: bytes) -> None:
    if segment.write(lines) != len(lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    segment.sync()
