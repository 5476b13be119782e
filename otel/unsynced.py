"""What was written to the journal and is not yet known to be on the disk.

After a failed sync the kernel may have dropped these pages, and nothing tells which: the records
are kept until a sync has succeeded, so that they can be written again elsewhere. One thread writes
and another syncs; each looks at a value that the other replaces whole, so there is no lock.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from otel.chain import End


class At(NamedTuple):
    """A place in the chain and in its files."""

    mark: int  # how many writes there were since the journal was opened
    segment: int
    size: int  # of the segment, in bytes
    end: End


class Unsynced:
    """The writes since the last good sync."""

    __slots__ = ("_added", "_gone", "_writes", "good", "now")

    def __init__(self, at: At) -> None:
        """`at`: where an earlier process had come to."""
        self.good = at  # what the last good sync covered
        self.now = at  # what the last write came to
        self._writes: deque[tuple[At, bytes]] = deque()
        # Two sums, each of one thread.
        self._added = self._gone = 0

    @property
    def size(self) -> int:
        """How much is kept, in bytes."""
        return self._added - self._gone

    def wrote(self, data: bytes, segment: int, size: int, end: End) -> None:
        """Note a write that succeeded, and where it came to."""
        now = At(self.now.mark + 1, segment, size, end)
        self._writes.append((now, data))
        self._added += len(data)
        self.now = now

    def synced(self, at: At) -> None:
        """Forget what was written up to there: it is on the disk."""
        writes = self._writes
        while writes and writes[0][0].mark <= at.mark:
            self._gone += len(writes.popleft()[1])
        self.good = at

    def moved(self, segment: int, size: int) -> None:
        """All of it is on the disk, elsewhere. Nobody writes meanwhile."""
        self._writes.clear()
        self._gone = self._added
        self.good = self.now = At(self.now.mark, segment, size, self.now.end)

    def lines(self) -> bytes:
        """Give out all of it, in order. Nobody writes meanwhile."""
        return b"".join(data for _, data in self._writes)
