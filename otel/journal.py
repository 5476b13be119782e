"""The append-only journal: one process, one folder, one chain of records.

When `append` returns, the record is in the file (a killed gateway loses nothing); when `sync`
returns, it is on the disk. Whatever fails raises `AuditUnavailable` and leaves no part of a record
behind; the caller's answer is then no. A sync that failed is final: the kernel may have dropped the
pages and would report success the next time (the fsync problem of PostgreSQL in 2018), so the
journal takes nothing more.

Form and hash of a record are in `chain`, what may be said in `redact`, files in `segment`.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from otel import chain, folders
from otel.chain import End
from otel.errors import AuditUnavailable, JournalBroken, MalformedRecord
from otel.events import GatewayStopped
from otel.flusher import Flusher
from otel.ids import new_id
from otel.lock import try_lock
from otel.redact import encode
from otel.segment import Tail, open_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from otel.attributes import Attributes
    from otel.chain import Spelled, Timed
    from otel.events import Event
    from otel.segment import SegmentFile

# Two processes that start at once may each take the folder that the other just made.
_ATTEMPTS = 100


class _Process:
    """How often this process is a fork of the one that imported us: cheaper than getpid(2)."""

    def __init__(self) -> None:
        self.forks = 0

    def forked(self) -> None:
        self.forks += 1


_process = _Process()
os.register_at_fork(after_in_child=_process.forked)


class Clock(Protocol):
    """The two clocks that a record carries."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970, which people can set."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that only grow, while the machine is up."""


class SystemClock:
    """The machine's clocks."""

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class Journal:
    """One writer's chain, open for appending, from several threads if need be.

    Only one of them may `put` and `flush`: a flush that fails loses all that was put, and whoever
    put it has to be told.
    """

    def __init__(
        self, *, writer: str, segment: SegmentFile, tail: Tail, clock: Clock, locks: tuple[int, ...]
    ) -> None:
        """Continue `segment` behind `tail`. `locks` are descriptors to close at the very end."""
        last = _last_record(writer, tail)
        self.writer = writer
        self.torn_bytes = tail.torn_bytes
        self.previous_shutdown = _shutdown(last.name if last else None)
        self.opened_at = folders.Position(tail.number, tail.size)
        self._segment = segment
        self._size = tail.size
        self._end = End(last.seq, last.digest) if last else End(0, chain.genesis(writer))
        # New at each start: a number that is used again after a cut gives another uid.
        self._uid = new_id("e")
        self._wall_ns = clock.wall_ns
        self._monotonic_ns = clock.monotonic_ns
        self._locks = locks
        self._broken: str | None = None
        # Events to be spelled, each with its times. The list stays the same one for good: `put`
        # appends to it without the lock.
        self._pending: list[tuple[Callable[[Event], Spelled], Event, int, int]] = []
        self._forks = _process.forks
        self._lock = threading.RLock()
        self._flusher = Flusher(self._sync_behind)

    @classmethod
    def open(cls, directory: Path, *, clock: Clock | None = None) -> Self:
        """Take a free writer of `directory`, or make one. Raises `JournalBroken`, in one line."""
        try:
            base = folders.open_base(directory)
            try:
                writer, folder, lock = _take(base)
            finally:
                os.close(base)
            return cls._continue(writer, folder, lock, clock or SystemClock())
        except OSError as error:
            raise JournalBroken(f"audit journal in {directory}: {_said(error)}") from error
        except JournalBroken as error:
            raise JournalBroken(f"audit journal in {directory}: {error}") from error

    @classmethod
    def _continue(cls, writer: str, folder: int, lock: int, clock: Clock) -> Self:
        try:
            segment, tail = open_last(folder)
        except BaseException:
            os.close(lock)
            raise
        finally:
            os.close(folder)
        try:
            return cls(writer=writer, segment=segment, tail=tail, clock=clock, locks=(lock,))
        except BaseException:
            segment.close()
            os.close(lock)
            raise

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 before the first."""
        return self._end.seq

    def append(self, name: str, severity: int, attributes: Attributes) -> int:
        """Write one record and return its number. Raises `AuditUnavailable`."""
        spelled = name, severity, encode(attributes)
        self._refuse_when_unusable()
        with self._lock:
            self.flush()
            self._write([(spelled, self._wall_ns(), self._monotonic_ns())])
            seq = self._end.seq
        self._flusher.touch()
        return seq

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
        with self._lock:
            pending = self._pending[:]
            if not pending:
                return
            del self._pending[: len(pending)]
            self._write(
                (fill(event), wall_ns, mono_ns) for fill, event, wall_ns, mono_ns in pending
            )
        self._flusher.touch()

    def sync(self) -> None:
        """Return when every record is on the disk. Raises `AuditUnavailable`."""
        self._refuse_when_unusable()
        try:
            self._segment.sync()
        except OSError as error:
            self._broken = f"sync failed: {_said(error)}"
            raise AuditUnavailable(self._broken, error_type=_word(error)) from error

    def start_syncing(self) -> None:
        """From now on sync by itself within 10 ms of a write. Not before the last fork."""
        self._flusher.start()

    def close(self) -> None:
        """Sync, and let the next process take this writer. Raises `AuditUnavailable` once."""
        if self._broken == "closed":
            return
        stopped = self._flusher.stop()
        try:
            self.flush()
            self.sync()
        finally:
            self._broken = "closed"
            if stopped:
                self._segment.close()
            for descriptor in self._locks:
                os.close(descriptor)

    def _write(self, records: Iterable[Timed]) -> None:
        """Seal and write these behind the others, each with its times. Under the lock."""
        lines, end = chain.seal(self.writer, self._uid, self._end, records)
        self._append(lines.encode())
        self._end = end

    def _append(self, lines: bytes) -> None:
        try:
            taken = self._segment.write(lines)
        except OSError as error:
            raise AuditUnavailable(
                f"journal not written: {_said(error)}", error_type=_word(error)
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
            self._broken = f"half a record can't be removed: {_said(error)}"

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


def _take(base: int) -> tuple[str, int, int]:
    """Id, folder and lock of a writer that is now ours."""
    for name in folders.writer_names(base):
        if (taken := _try(base, name)) is not None:
            return taken
    for _ in range(_ATTEMPTS):
        name = new_id("w")
        folders.make_folder(base, name)
        if (taken := _try(base, name)) is not None:
            return taken
    raise JournalBroken("every new writer was taken by somebody else")


def _try(base: int, name: str) -> tuple[str, int, int] | None:
    folder = folders.open_folder(base, name)
    try:
        lock = try_lock(folder, folders.LOCK)
    except BaseException:
        os.close(folder)
        raise
    if lock is None:
        os.close(folder)
        return None
    return name, folder, lock


def _last_record(writer: str, tail: Tail) -> chain.Record | None:
    if tail.last_line is None:
        return None
    where = f"{writer}/{folders.segment_name(tail.number)}"
    try:
        last = chain.parse(tail.last_line)
    except MalformedRecord as error:
        raise JournalBroken(f"{where}: the last line is {error}; {_ADVICE}") from error
    if last.digest != last.expected_digest or last.writer != writer:
        raise JournalBroken(f"{where}: the last record was changed; {_ADVICE}")
    return last


_ADVICE = "see netproxy audit verify, and move the folder away to go on without it"


def _shutdown(last_event: str | None) -> str:
    if last_event is None:
        return "none"
    return "clean" if last_event == GatewayStopped.name else "unclean"


def _said(error: OSError) -> str:
    what = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def _word(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "unavailable")
