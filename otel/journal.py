"""The append-only journal: one process, one folder, one chain of records.

When `append` returns, the record is in the file (a killed gateway loses nothing); when `sync`
returns, it is on the disk. Whatever fails raises `AuditUnavailable` and leaves no part of a record
behind; the caller's answer is then no. A sync that failed is final: the kernel may have dropped the
pages and would report success the next time (the fsync problem of PostgreSQL in 2018), so the
journal takes nothing more.

Form and hash of a record are in `chain`, what may be said in `redact`, files in `segment`.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Self

from otel import chain, folders
from otel.chain import End
from otel.clock import SystemClock
from otel.errors import AuditUnavailable, JournalBroken, error_word, said
from otel.flusher import Flusher
from otel.ids import new_id
from otel.keeping import Place, Written
from otel.opening import last_record, shutdown, take
from otel.redact import encode
from otel.segment import Tail, WriterFolder, open_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from otel.attributes import Attributes
    from otel.chain import Spelled, Timed
    from otel.clock import Clock
    from otel.events import Event
    from otel.keeping import Keeper
    from otel.segment import SegmentFile, Shelf


class _Process:
    """How often this process is a fork of the one that imported us: cheaper than getpid(2)."""

    def __init__(self) -> None:
        self.forks = 0

    def forked(self) -> None:
        self.forks += 1


_process = _Process()
os.register_at_fork(after_in_child=_process.forked)


class Journal:
    """One writer's chain, open for appending, from several threads if need be.

    Only one of them may `put` and `flush`: a flush that fails loses all that was put, and whoever
    put it has to be told.
    """

    def __init__(  # noqa: PLR0913 what a journal is made of
        self,
        *,
        writer: str,
        segment: SegmentFile,
        tail: Tail,
        clock: Clock,
        locks: tuple[int, ...],
        shelf: Shelf | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        """Continue `segment` behind `tail`. `locks` are descriptors to close at the very end.

        `shelf` is where further segments are made; None: there are none.
        """
        last = last_record(writer, tail)
        self.writer = writer
        self.torn_bytes = tail.torn_bytes
        self.previous_shutdown = shutdown(last)
        self.opened_at = folders.Position(tail.number, tail.size)
        self._segment = segment
        self._before: SegmentFile | None = None
        self._shelf = shelf
        self._keeper = keeper
        # When the keeper is called: a number of a record, and a size in bytes.
        self.due_seq = self.due_size = sys.maxsize
        self._number = tail.number
        self._size = tail.size
        self._end = End(last.seq, last.digest) if last else End(0, chain.genesis(writer))
        # New at each start: a number that is used again after a cut gives another uid.
        self._uid = new_id("e")
        self._wall_ns = clock.wall_ns
        self._monotonic_ns = clock.monotonic_ns
        self.locks = locks
        self._broken: str | None = None
        # Events to be spelled, each with its times. The list stays the same one for good: `put`
        # appends to it without the lock.
        self._pending: list[tuple[Callable[[Event], Spelled], Event, int, int]] = []
        self._forks = _process.forks
        self.lock = threading.RLock()  # for its keeper, too: never to wait for anything under it
        self._flusher = Flusher(self._sync_behind)
        if keeper is not None:
            keeper.opened(self)

    @classmethod
    def open(
        cls, directory: Path, *, clock: Clock | None = None, keeper: Keeper | None = None
    ) -> Self:
        """Take a free writer of `directory`, or make one. Raises `JournalBroken`, in one line.

        Of those that are there it takes none that the keeper does not admit.
        """
        try:
            base = folders.open_base(directory)
            try:
                writer, folder, lock = take(base, keeper)
            finally:
                os.close(base)
            return cls._continue(writer, folder, lock, clock or SystemClock(), keeper)
        except OSError as error:
            raise JournalBroken(f"audit journal in {directory}: {said(error)}") from error
        except JournalBroken as error:
            raise JournalBroken(f"audit journal in {directory}: {error}") from error

    @classmethod
    def _continue(
        cls, writer: str, folder: int, lock: int, clock: Clock, keeper: Keeper | None
    ) -> Self:
        try:
            segment, tail = open_last(folder)
        except BaseException:
            os.close(folder)
            os.close(lock)
            raise
        shelf = WriterFolder(folder)
        try:
            return cls(
                writer=writer,
                segment=segment,
                tail=tail,
                clock=clock,
                locks=(lock,),
                shelf=shelf,
                keeper=keeper,
            )
        except BaseException:
            segment.close()
            shelf.close()
            os.close(lock)
            raise

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 before the first."""
        return self._end.seq

    @property
    def position(self) -> folders.Position:
        """Where the next record will stand."""
        return folders.Position(self._number, self._size)

    def now_ns(self) -> int:
        """Nanoseconds since 1970, by the clock of its records."""
        return self._wall_ns()

    def append(self, name: str, severity: int, attributes: Attributes) -> int:
        """Write one record and return its number. Raises `AuditUnavailable`."""
        spelled = name, severity, encode(attributes)
        self._refuse_when_unusable()
        with self.lock:
            self.flush()
            self._write([(spelled, self._wall_ns(), self._monotonic_ns())])
            seq = self._end.seq
            self._call_keeper()
        self._flusher.touch()
        return seq

    def interject(self, make: Callable[[Place], Spelled]) -> Written:
        """Write one record between the batches, from any thread.

        What was put and not yet flushed comes behind it. Raises `AuditUnavailable`.
        """
        self._refuse_when_unusable()
        with self.lock:
            wall_ns = self._wall_ns()
            spelled = make(Place(self._end, self._number, wall_ns))
            self._write([(spelled, wall_ns, self._monotonic_ns())])
            written = Written(self._end.seq, self.position)
        self._flusher.touch()
        return written

    def begin_segment(self) -> int:
        """Go on in a new segment, with all of this one on the disk; the number of this one.

        Raises `AuditUnavailable`: then this one goes on.
        """
        with self.lock:
            self.sync()
            if self._shelf is None:
                raise AuditUnavailable(f"journal {self.writer} has one segment only")
            try:
                segment = self._shelf.begin(self._number + 1)
            except OSError as error:
                raise AuditUnavailable(
                    f"no new segment: {said(error)}", error_type=error_word(error)
                ) from error
            # The thread that syncs may be at this one still: it is closed with the next.
            before, self._before, self._segment = self._before, self._segment, segment
            if before is not None:
                before.close()
            self._number, self._size = self._number + 1, 0
            return self._number - 1

    def line_before(self, position: folders.Position) -> bytes | None:
        """Read a record back, by the position behind it. None: there is none. Raises OSError."""
        if self._shelf is None:
            return None
        return self._shelf.last_line(position.segment, position.offset)

    def put(self, fill: Callable[[Event], Spelled], event: Event) -> None:
        """Take one event for the next `flush`, which has it spelled. Raises `AuditUnavailable`."""
        self._refuse_when_unusable()
        self._pending.append((fill, event, self._wall_ns(), self._monotonic_ns()))

    def flush(self) -> None:
        """Write what was put, all of it by one system call. Raises `AuditUnavailable`: then none.

        They are spelled here, one after the other, and not where they were put: what all of them
        need is in the processor's cache then.
        """
        self._refuse_when_unusable()
        with self.lock:
            pending = self._pending[:]
            if not pending:
                return
            del self._pending[: len(pending)]
            self._write(
                (fill(event), wall_ns, mono_ns) for fill, event, wall_ns, mono_ns in pending
            )
            self._call_keeper()
        self._flusher.touch()

    def sync(self) -> None:
        """Return when every record is on the disk. Raises `AuditUnavailable`."""
        self._refuse_when_unusable()
        try:
            self._segment.sync()
        except OSError as error:
            self._broken = f"sync failed: {said(error)}"
            raise AuditUnavailable(self._broken, error_type=error_word(error)) from error

    def start_syncing(self) -> None:
        """From now on sync by itself within 10 ms of a write. Not before the last fork."""
        self._flusher.start()
        if self._keeper is not None:
            self._keeper.starting()

    def close(self) -> None:
        """Sync, and let the next process take this writer. Raises `AuditUnavailable` once."""
        if self._broken == "closed":
            return
        stopped = self._flusher.stop()
        try:
            self.flush()
            if self._keeper is not None:
                self._keeper.closing()
            self.sync()
        finally:
            self._broken = "closed"
            if stopped:
                self._segment.close()
                if self._before is not None:
                    self._before.close()
            if self._shelf is not None:
                self._shelf.close()
            for descriptor in self.locks:
                os.close(descriptor)

    def _write(self, records: Iterable[Timed]) -> None:
        """Seal and write these behind the others, each with its times. Under the lock."""
        lines, end = chain.seal(self.writer, self._uid, self._end, records)
        self._append(lines.encode())
        self._end = end

    def _call_keeper(self) -> None:
        if self._keeper is not None and (
            self._end.seq >= self.due_seq or self._size >= self.due_size
        ):
            self._keeper.due()

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
                f"journal took {taken} of {len(lines)} bytes: disk full?", error_type="short_write"
            )
        self._size += taken

    def _cut(self) -> None:
        try:
            self._segment.truncate(self._size)
        except OSError as error:
            self._broken = f"half a record can't be removed: {said(error)}"

    def _refuse_when_unusable(self) -> None:
        # A forked child has a copy of the head: what it appends would fork the chain. This comes
        # before the lock, which another thread may have held when the child was copied.
        if _process.forks != self._forks:
            raise AuditUnavailable(f"journal {self.writer} belongs to another process")
        if self._broken is not None:
            raise AuditUnavailable(f"journal {self.writer}: {self._broken}")

    def _sync_behind(self) -> None:
        try:
            self.sync()
        except AuditUnavailable:
            return  # the journal is marked broken: the next append says so to whoever needs it
