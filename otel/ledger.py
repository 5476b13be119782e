"""A writer's chain in its files: sealed, appended, synced, and gone on with when a sync failed.

Whoever calls holds the lock where it says so. Who waits for what, and in which thread, is
`otel.journal`'s.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from otel import chain
from otel.errors import AuditUnavailable, JournalBroken, error_word, said
from otel.folders import Position
from otel.ids import new_id
from otel.recovery import begin_anew
from otel.unsynced import At, Unsynced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel.chain import End, Timed
    from otel.keeping import Keeper
    from otel.segment import SegmentFile, Shelf, Tail

# After a failed sync a disk may be gone for good, or a volume is attached again.
RETRY_SECONDS: Final = 1.0


class Ledger:
    """One writer's chain, open for appending."""

    def __init__(  # noqa: PLR0913 what a chain is made of
        self,
        writer: str,
        segment: SegmentFile,
        tail: Tail,
        end: End,
        *,
        shelf: Shelf | None,
        keeper: Keeper | None,
    ) -> None:
        """Continue `segment` behind `tail`, and the chain behind `end`."""
        self.writer = writer
        self._segment = segment
        self.shelf = shelf
        self._keeper = keeper
        # When the keeper is called: a number of a record, and a size in bytes.
        self.due_seq = self.due_size = sys.maxsize
        self._number = tail.number
        self._size = tail.size
        self._end = end
        # New at each start: a number that is used again after a cut gives another uid.
        self._uid = new_id("e")
        self._problem: AuditUnavailable | None = None
        self._is_closed = False
        self._unsynced = Unsynced(At(0, tail.number, tail.size, end))
        self.lock = threading.RLock()  # for its keeper, too: never to wait for anything under it
        self._syncing = threading.RLock()

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 before the first."""
        return self._end.seq

    @property
    def position(self) -> Position:
        """Where the next record will stand."""
        return Position(self._number, self._size)

    @property
    def written_mark(self) -> int:
        """How many writes there were."""
        return self._unsynced.now.mark

    @property
    def synced_mark(self) -> int:
        """How many of them are on the disk."""
        return self._unsynced.good.mark

    def begin_segment(self) -> int:
        """Go on in a new segment, with all of this one on the disk; the number of this one.

        Raises `AuditUnavailable`: then this one goes on.
        """
        with self.lock, self._syncing:
            self._commit()
            if self.shelf is None:
                raise AuditUnavailable(f"journal {self.writer} has one segment only")
            try:
                segment = self.shelf.begin(self._number + 1)
            except OSError as error:
                raise AuditUnavailable(
                    f"no new segment: {said(error)}", error_type=error_word(error)
                ) from error
            self._exchange(segment, self._number + 1, 0)
            return self._number - 1

    def line_before(self, position: Position) -> bytes | None:
        """Read a record back, by the position behind it. None: there is none. Raises OSError."""
        if self.shelf is None:
            return None
        return self.shelf.last_line(position.segment, position.offset)

    def _call_keeper(self) -> None:
        if self._keeper is not None and (
            self._end.seq >= self.due_seq or self._size >= self.due_size
        ):
            self._keeper.due()

    def _write(self, records: Iterable[Timed]) -> None:
        """Seal and write these behind the others, each with its times. Under the lock."""
        lines, end = chain.seal(self.writer, self._uid, self._end, records)
        data = lines.encode()
        self._append(data)
        self._end = end
        self._unsynced.wrote(data, self._number, self._size, end)

    def _append(self, lines: bytes) -> None:
        try:
            taken = self._segment.write(lines)
        except OSError as error:
            raise AuditUnavailable(
                f"journal not written: {said(error)}", error_type=error_word(error)
            ) from error
        if taken != len(lines):
            # A disk that fills up takes a part: half a line must not stay in front of the next.
            self._cut()
            raise AuditUnavailable(
                f"journal took {taken} of {len(lines)} bytes: disk full, or a limit (ulimit -f)?",
                error_type="short_write",
            )
        self._size += taken

    def _cut(self) -> None:
        try:
            self._segment.truncate(self._size)
        except OSError as error:
            self._problem = AuditUnavailable(
                f"half a record can't be removed: {said(error)}", error_type=error_word(error)
            )

    def _commit(self) -> None:
        """Sync in this thread. Raises `AuditUnavailable`.

        One at a time: of two that sync at once the kernel tells only one that it failed.
        """
        with self._syncing:
            problem = self._problem
            if problem is None:
                # In this order: what is begun anew in between is on the disk with its beginning.
                at, segment = self._unsynced.now, self._segment
                problem = _problem_of_syncing(segment)
                if problem is None:
                    self._unsynced.synced(at)
                    return
            self._go_on_elsewhere(problem)

    def _go_on_elsewhere(self, problem: AuditUnavailable) -> None:
        """Begin a new segment with what the old one may have lost. Raises `AuditUnavailable`.

        Until that has failed nobody is told of the problem: what is written meanwhile goes along.
        """
        # Whoever holds the lock may wait for a sync.
        if self.shelf is None or self._is_closed or not self.lock.acquire(timeout=RETRY_SECONDS):
            self._problem = problem
            raise problem
        try:
            segment, number, size = begin_anew(self.shelf, self._unsynced)
        except (OSError, JournalBroken) as error:
            self._problem = problem
            what = said(error) if isinstance(error, OSError) else str(error)
            raise AuditUnavailable(
                f"{problem}; and no new segment: {what}", error_type=problem.error_type
            ) from error
        else:
            self._exchange(segment, number, size)
            self._problem = None
        finally:
            self.lock.release()

    def _exchange(self, segment: SegmentFile, number: int, size: int) -> None:
        """Go on in this one, with all that was written on the disk. Nobody syncs meanwhile."""
        old, self._segment = self._segment, segment
        self._number, self._size = number, size
        self._unsynced.moved(number, size)
        with suppress(OSError):
            old.close()


def _problem_of_syncing(segment: SegmentFile) -> AuditUnavailable | None:
    try:
        segment.sync()
        is_there = segment.is_there()
    except OSError as error:
        return AuditUnavailable(f"sync failed: {said(error)}", error_type=error_word(error))
    return None if is_there else AuditUnavailable("its file was removed", error_type="removed")
