"""The append-only journal: one process, one folder, one chain of records.

When `append` returns, the record is in the file (a killed gateway loses nothing); when `sync`
returns, it is on the disk. Whatever fails raises `AuditUnavailable` and leaves no part of a record
behind; the caller's answer is then no. After a failed sync the journal goes on in a new segment
(`recovery`); a disk that answers late is written to from a thread of its own (`lane`).

Form and hash of a record are in `chain`, what may be said in `redact`, files in `segment`.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from otel import chain, folders
from otel.chain import End
from otel.clock import SystemClock
from otel.errors import AuditUnavailable, JournalBroken, said
from otel.events import ClockJumped
from otel.flusher import Flusher
from otel.keeping import Place, Written
from otel.lane import Batch, Lane
from otel.ledger import RETRY_SECONDS, Ledger
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
    from otel.lane import Put
    from otel.segment import SegmentFile, Shelf

# A write takes microseconds and a sync a few milliseconds; with these the disk is not well, and the
# loop, which has a tunnel to serve every fifth of a millisecond, must not wait for it.
_SLOW_SECONDS: Final = 0.05
# Design section 4: a record that was not taken by then is a no.
HANG_SECONDS: Final = 2.0
# What a disk that hangs may leave in memory: more than two seconds at 20,000 records a second.
_MOST_UNSYNCED: Final = 64 * 1024 * 1024
# Less than people set a clock by, more than a slewing one gains before anybody looks.
_JUMP_NS: Final = 2_000_000_000


class _Process:
    """How often this process is a fork of the one that imported us: cheaper than getpid(2)."""

    def __init__(self) -> None:
        self.forks = 0

    def forked(self) -> None:
        self.forks += 1


_process = _Process()
os.register_at_fork(after_in_child=_process.forked)


class Journal(Ledger):
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
        self.torn_bytes = tail.torn_bytes
        self.previous_shutdown = shutdown(last)
        self.opened_at = folders.Position(tail.number, tail.size)
        end = End(last.seq, last.digest) if last else End(0, chain.genesis(writer))
        super().__init__(writer, segment, tail, end, shelf=shelf, keeper=keeper)
        self._wall_ns = clock.wall_ns
        self._monotonic_ns = clock.monotonic_ns
        self.locks = locks
        self._offset_ns: int | None = None  # from the clock that only grows to the wall's
        # Called, from another thread, when records were written late or synced.
        self.progressed: Callable[[], None] | None = None
        # Called by the thread that syncs: may take its time.
        self.after_sync: Callable[[], None] | None = None
        # Events to be spelled, each with its times. The list stays the same one for good: `put`
        # appends to it without the lock.
        self._pending: list[Put] = []
        self._forks = _process.forks
        self._taking = threading.Lock()
        self._synced = threading.Condition(threading.Lock())
        self._patience = -1.0  # seconds that `flush` waits for the lock; below 0: as long as needed
        self._was_slow = False
        self._lane = Lane(self._write_aside, self._tell_progress)
        self._flusher = Flusher(self._sync_behind)
        if keeper is not None:
            keeper.opened(self)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        clock: Clock | None = None,
        keeper: Keeper | None = None,
        writer: str | None = None,
    ) -> Self:
        """Take a free writer of `directory`, or make one. Raises `JournalBroken`, in one line.

        Of those that are there it takes none that the keeper does not admit. `writer`: this one.
        """
        try:
            base = folders.open_base(directory)
            try:
                name, folder, lock = take(base, keeper, only=writer)
            finally:
                os.close(base)
            return cls._continue(name, folder, lock, clock or SystemClock(), keeper)
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

    def put(self, fill: Callable[[Event], Spelled], event: Event) -> None:
        """Take one event for the next `flush`, which has it spelled. Raises `AuditUnavailable`."""
        self._refuse_when_unusable()
        self._pending.append((fill, event, self._wall_ns(), self._monotonic_ns()))

    def flush(self, *, aside: bool = False) -> Batch | None:
        """Write what was put, all of it by one system call. Raises `AuditUnavailable`: then none.

        A batch comes back when the disk is slow, or `aside` is wanted: it is written elsewhere
        meanwhile. They are spelled here, one after the other, and not where they were put: what all
        of them need is in the processor's cache then.
        """
        try:
            self._refuse_when_unusable()
        except AuditUnavailable:
            self._take()  # whoever put it is told no: it must not be written with what comes later
            raise
        flusher = self._flusher
        if (
            (aside or flusher.began is not None or self._lane.is_busy or self._was_slow)
            and flusher.is_running
            and (aside or self._is_slow())
        ):
            return self._hand_over()
        if not self.lock.acquire(timeout=self._patience):
            return self._hand_over()
        try:
            began = time.monotonic()
            pending = self._take()
            if not pending:
                return None
            self._write_put(pending)
            self._was_slow = time.monotonic() - began > _SLOW_SECONDS
            self._call_keeper()
        finally:
            self.lock.release()
            flusher.touch()  # also after a failure: it may have to go on elsewhere
        return None

    def sync(self) -> None:
        """Return when every record is on the disk. Raises `AuditUnavailable`."""
        self._refuse_when_unusable()
        if not self._flusher.is_running:
            self._commit()
            return
        wanted = self._unsynced.now.mark
        self._flusher.hurry()
        left = HANG_SECONDS - self._flusher.in_flight_seconds()
        with self._synced:
            self._synced.wait_for(lambda: self.synced_mark >= wanted or self._problem, left)
        if self.synced_mark < wanted:
            self._refuse_when_unusable()
            raise AuditUnavailable("the disk does not answer", error_type="timeout")

    @property
    def problem(self) -> AuditUnavailable | None:
        """Why no record is taken now, as far as is known."""
        if self._problem is None and (seconds := self.owed_seconds()) > HANG_SECONDS:
            return AuditUnavailable(
                f"the disk has not answered for {seconds:.0f} s", error_type="timeout"
            )
        return self._problem

    def owed_seconds(self) -> float:
        """How long the disk has owed an answer."""
        return max(self._flusher.in_flight_seconds(), self._lane.waiting_seconds())

    def start_syncing(self, *, gathers: bool = True) -> None:
        """From now on sync by itself within 10 ms of a write. Not before the last fork.

        `gathers`: several writes share a sync. Else each is followed by one at once.
        """
        self._flusher.start(gathers=gathers)
        self._patience = _SLOW_SECONDS
        if self._keeper is not None:
            self._keeper.starting()

    def close(self) -> None:
        """Sync, and let the next process take this writer. Raises `AuditUnavailable` once."""
        if self._is_closed:
            return
        has_stopped = False
        try:
            if self._problem is None:
                batch = self.flush(aside=True)
                if (batch is None or batch.wait(HANG_SECONDS)) and self._keeper is not None:
                    self._keeper.closing()
            has_stopped = self._stop()
            if not has_stopped:
                raise AuditUnavailable("the disk does not answer", error_type="timeout")
            self._refuse_when_unusable()
            if self.synced_mark < self.written_mark:
                self._commit()
        finally:
            has_stopped = has_stopped or self._stop()
            self._is_closed = True
            self._problem = AuditUnavailable("closed")
            if has_stopped:
                self._release()

    def _stop(self) -> bool:
        """End the threads, in this order. False: one hangs in the disk."""
        has_written = self._lane.stop()
        return self._flusher.stop() and has_written

    def _release(self) -> None:
        """Let others have the folder. A thread that hangs may write yet: then it stays ours."""
        self._segment.close()
        if self.shelf is not None:
            self.shelf.close()
        for descriptor in self.locks:
            os.close(descriptor)

    def _is_slow(self) -> bool:
        return (
            self._lane.is_busy
            or self._was_slow
            or self._flusher.in_flight_seconds() > _SLOW_SECONDS
        )

    def _take(self) -> list[Put]:
        with self._taking:
            pending = self._pending[:]
            del self._pending[: len(pending)]
        return pending

    def _hand_over(self) -> Batch | None:
        """Have it written in another thread. Raises `AuditUnavailable` when that is too much."""
        pending = self._take()
        if not pending:
            return None
        if self._unsynced.size > _MOST_UNSYNCED:
            raise AuditUnavailable("too much waits for the disk", error_type="timeout")
        batch = Batch(pending)
        self._lane.put(batch)
        return batch

    def _write_aside(self, batch: Batch) -> None:
        """Write it, whatever time that takes, in the lane's thread."""
        try:
            with self.lock:
                self._refuse_when_unusable()
                began = time.monotonic()
                self._write_put(batch.records)
                self._was_slow = time.monotonic() - began > _SLOW_SECONDS
                self._call_keeper()
        except AuditUnavailable as unavailable:
            batch.problem = unavailable
        except Exception as bug:  # noqa: BLE001 whoever waits must be told, whatever it is
            batch.problem = AuditUnavailable(f"journal: {bug!r}")
        batch.mark = self._unsynced.now.mark
        self._flusher.touch()

    def lane_seconds(self) -> float:
        """How long the oldest record has waited that is written aside."""
        return self._lane.waiting_seconds()

    def _write_put(self, records: list[Put]) -> None:
        """Write them, behind a word on the clock if that has jumped. Under the lock."""
        _, _, wall_ns, mono_ns = records[0]
        offset_ns = wall_ns - mono_ns
        delta_ns = 0 if self._offset_ns is None else offset_ns - self._offset_ns
        timed: Iterable[Timed] = ((fill(event), wall, mono) for fill, event, wall, mono in records)
        if -_JUMP_NS <= delta_ns <= _JUMP_NS and self._offset_ns is not None:
            self._write(timed)
            return
        if delta_ns:
            jump = ClockJumped(delta_ms=round(delta_ns / 1e6))
            spelled = jump.name, int(jump.severity), encode(jump.attributes())
            timed = itertools.chain([(spelled, wall_ns, mono_ns)], timed)
        self._write(timed)
        self._offset_ns = offset_ns

    def _sync_behind(self) -> float | None:
        try:
            self._commit()
        except AuditUnavailable:
            # The next append says so to whoever needs it.
            return None if self.shelf is None else RETRY_SECONDS
        finally:
            with self._synced:
                self._synced.notify_all()
            self._tell_progress()
        if self.after_sync is not None:
            self.after_sync()
        return None

    def _tell_progress(self) -> None:
        if self.progressed is not None:
            self.progressed()

    def _refuse_when_unusable(self) -> None:
        # A forked child has a copy of the head: what it appends would fork the chain. This comes
        # before the lock, which another thread may have held when the child was copied.
        if _process.forks != self._forks:
            raise AuditUnavailable(f"journal {self.writer} belongs to another process")
        if self._problem is not None:
            raise AuditUnavailable(
                f"journal {self.writer}: {self._problem}", error_type=self._problem.error_type
            )
