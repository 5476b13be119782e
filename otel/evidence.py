"""What makes a journal evidence: signed checkpoints, sealed segments, and a look before going on.

Fills `otel.keeping.Keeper`. A checkpoint is due each 1,000 records, within 60 seconds of a record,
when a segment is sealed, and at the end; a new segment each 64 MiB or 24 hours. What takes time
(loading the signing library, hashing a sealed segment) is done by a thread; without one, at the end
of the process or by its next start.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from otel import chain, folders, heads, keys
from otel.errors import AuditUnavailable, ChainChanged, JournalBroken, KeyUnusable, MalformedRecord
from otel.events import GatewayStopped, IntegrityFailed
from otel.heads import Left
from otel.keeping import EVERY_RECORDS, EVERY_SECONDS
from otel.redact import encode
from otel.threads import started
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel.chain import Spelled
    from otel.events import Event
    from otel.journal import Journal
    from otel.keeping import Place, Written
    from otel.keys import SigningKey

# A run that is over sooner loads the signing library at its end, and no thread of ours competes
# with the start of its command.
_FIRST_LOOK_SECONDS: Final = 1.0
# A disk that hangs must not keep the process from ending.
_STOP_SECONDS: Final = 2.0
# How much is written before another try at a new segment, where one can't be made.
_AGAIN_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """How a journal is kept."""

    key: Path | None = None  # None: DIR/keys/checkpoint.key, made at first use
    # Small enough to hash, copy and delete at once; a day of 1,000 connections an hour.
    segment_bytes: int = 64 * 1024 * 1024
    # A day's records can go to the archive on the next.
    segment_seconds: float = 24 * 3600.0
    # Evidence is kept until somebody says how long.
    retain_days: float | None = None
    max_bytes: int | None = None


class Evidence:
    """Keeps one journal of `directory`."""

    def __init__(
        self, directory: Path, *, key: SigningKey | None, settings: EvidenceSettings
    ) -> None:
        """Without a key: new segments, but nobody signs them."""
        self.directory = directory
        self.settings = settings
        self.alarms: list[tuple[str, ChainChanged]] = []  # writers that were not gone on with
        self.after_sealing: Callable[[], None] = _nothing
        self.is_visit = False  # not a gateway's life: how the last one ended stays as it is
        self._key = key
        self._left = Left(0, 0)
        self.journal: Journal
        self._last: tuple[Written, Left] | None = None  # the newest checkpoint of ours
        self._born = 0, 0  # a segment, and when its first record was written
        self._tasks: SimpleQueue[int | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @classmethod
    def of(
        cls,
        directory: Path,
        settings: EvidenceSettings,
        *,
        strict: bool,
        warn: Callable[[str], None],
    ) -> Evidence:
        """With the key that settings name. Raises `KeyUnusable` in strict mode.

        In another, a warning must do: a gateway that stands still for want of a key would be
        replaced by none. That nobody signed is on record (`GatewayStarted.key_id`).
        """
        key = None
        try:
            key = keys.open_key(directory, settings.key)
        except KeyUnusable as unusable:
            if strict:
                raise
            warn(f"the journal is not signed: {unusable}")
        return cls(directory, key=key, settings=settings)

    @property
    def key_id(self) -> str | None:
        """Who signs; None: nobody."""
        return None if self._key is None else self._key.key_id

    def events(self) -> list[IntegrityFailed]:
        """What has to be recorded of chains that were found changed, each left as it is."""
        return [
            IntegrityFailed(kind=changed.kind, writer=writer, place=changed.place)
            for writer, changed in self.alarms
        ]

    def admits(self, writer: str) -> bool:
        """Leave a chain alone that was changed, and remember the alarm."""
        try:
            self._left = heads.untouched(self.directory, writer, self._key) or self._examined(
                writer
            )
        except ChainChanged as changed:
            self._left = Left(0, 0)
            self.alarms.append((writer, changed))
            return False
        return True

    def _examined(self, writer: str) -> Left:
        from otel.examination import examine

        return examine(self.directory, writer, self._key)

    def opened(self, journal: Journal) -> None:
        """Keep it."""
        self.journal = journal
        journal.due_seq = self._left.seq + EVERY_RECORDS
        journal.due_size = self.settings.segment_bytes

    def starting(self) -> None:
        """From now on there is a thread for what takes time."""
        self._thread = started("journal-evidence", self._work)

    def due(self) -> None:
        """Sign, or begin a new segment."""
        journal = self.journal
        if journal.position.offset >= journal.due_size:
            self._begin_segment()
        if journal.last_seq >= journal.due_seq:
            self._sign("records")

    def tick(self) -> None:
        """Do what is due by the clock, and seal what was left behind when a disk failed."""
        with suppress(OSError):
            self.seal_left()
        if self._is_old():
            self._begin_segment()
        if self._has_unsigned():
            self._sign("time")
            self.remember()

    def closing(self) -> None:
        """Sign the end. Where the thread hangs there is no disk to sign it on."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                return
            self._thread = None
        stopped = self._has_stopped()
        if self.is_visit:
            stopped = self.journal.previous_shutdown == "clean"
        if self._is_old():
            self._begin_segment()
        if self._has_unsigned() or stopped:
            self._sign("shutdown" if stopped else "closed")
            self.remember()

    def seal_left(self) -> None:
        """Seal every segment that is done with: the process may have ended before it was sealed."""
        folder = self.directory / self.journal.writer
        for number in folders.segment_numbers(folder):
            if number < self.journal.position.segment:
                self._seal(number)

    def record_signed(self, event: Event) -> None:
        """Return when an event is on the disk with a signature behind it.

        Raises `AuditUnavailable` where it can't be recorded, or nobody signs.
        """
        spelled = event.name, int(event.severity), encode(event.attributes())
        self.journal.interject(lambda _: spelled)
        if not self._sign("removal"):
            raise AuditUnavailable("no checkpoint can be written")
        self.journal.sync()
        self.remember()

    def _work(self) -> None:
        wait = _FIRST_LOOK_SECONDS
        while True:
            try:
                task = self._tasks.get(timeout=wait)
                if task is None:
                    return
                self._seal(task)
            except Empty:
                if wait == _FIRST_LOOK_SECONDS:
                    self._begin()
                else:
                    self.tick()
            wait = EVERY_SECONDS

    def _begin(self) -> None:
        if self._key is not None:
            self._key.sign(b"")  # loads the library
        with suppress(OSError):
            self.seal_left()
        self.after_sealing()

    def _begin_segment(self) -> None:
        try:
            number = self.journal.begin_segment()
        except AuditUnavailable:
            # The old one goes on. Whatever is wrong with the disk shows at the next record.
            self.journal.due_size = self.journal.position.offset + _AGAIN_BYTES
            return
        self.journal.due_size = self.settings.segment_bytes
        if self._thread is None or threading.current_thread() is self._thread:
            self._seal(number)
        else:
            self._tasks.put(number)

    def _seal(self, number: int) -> None:
        """Hash, sign, and take away the permission to write: in this order, so none is left out."""
        name = folders.segment_name(number)
        try:
            descriptor = folders.open_for_reading(self.directory / self.journal.writer / name)
            with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
                if not os.fstat(descriptor).st_mode & stat.S_IWUSR:
                    return
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                if self._key is None or self._sign("sealed", sealed=(name, digest)):
                    os.fchmod(descriptor, stat.S_IRUSR)
        except (OSError, JournalBroken):
            return  # the next start tries again
        self.remember()
        self.after_sealing()

    def _sign(self, cause: str, *, sealed: tuple[str, str] | None = None) -> bool:
        """Write a checkpoint. False: there is no key, or the journal does not take it now."""
        journal, key = self.journal, self._key
        if key is None:
            journal.due_seq = journal.last_seq + EVERY_RECORDS
            return False

        from otel.checkpoints import Mark  # at the first signature: a start must not wait

        def make(place: Place) -> Spelled:
            mark = Mark(
                writer=journal.writer,
                number=self._left.number + 1,
                head_seq=place.end.seq,
                head_hash=place.end.digest.hex(),
                records=place.end.seq - self._left.seq,
                segment=folders.segment_name(place.segment),
                cause=cause,
                time=chain.timestamp(place.wall_ns),
                key_id=key.key_id,
                sealed_segment=sealed and sealed[0],
                sealed_digest=sealed and sealed[1],
            )
            event = mark.event(key.sign(mark.message()))
            return event.name, int(event.severity), encode(event.attributes())

        with journal.lock:  # no two checkpoints of one number
            try:
                written = journal.interject(make)
            except AuditUnavailable:
                return False
            self._left = Left(self._left.number + 1, written.seq)
            self._last = written, self._left
            journal.due_seq = written.seq + EVERY_RECORDS
        return True

    def remember(self) -> None:
        """Keep the newest checkpoint beside the journal, once it is on the disk."""
        if self._key is None or self._last is None:
            return
        (_, end), left = self._last
        with suppress(OSError, JournalBroken, AuditUnavailable):
            self.journal.sync()
            line = self.journal.line_before(end)
            if line is not None:
                heads.save(
                    self.directory,
                    self.journal.writer,
                    self._key,
                    end=end,
                    left=left,
                    line=line,
                )

    def _has_unsigned(self) -> bool:
        return self._key is not None and self.journal.last_seq > self._left.seq

    def _has_stopped(self) -> bool:
        try:
            line = self.journal.line_before(self.journal.position)
            return line is not None and chain.parse(line).name == GatewayStopped.name
        except (OSError, MalformedRecord):
            return False

    def _is_old(self) -> bool:
        """Whether the segment's first record is older than a segment may be."""
        journal = self.journal
        number = journal.position.segment
        if self._born[0] != number:
            with suppress(OSError, JournalBroken, MalformedRecord):
                from otel.lines import first_line

                line = first_line(self.directory / journal.writer, number)
                if line is None:
                    return False
                self._born = number, chain.nanoseconds(chain.parse(line).timestamp)
        if self._born[0] != number:
            return False
        return journal.now_ns() - self._born[1] >= self.settings.segment_seconds * 1e9


def _nothing() -> None:
    """Where nothing is to be done behind a seal."""
