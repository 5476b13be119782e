"""What one sink has not yet got of one writer's journal: the journal itself is the queue.

Gives batches in order and moves the cursor on once a batch is acknowledged, so every record is
delivered at least once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import cursor as cursors
from otel.chain import parse
from otel.cursor import Cursor
from otel.errors import JournalBroken, MalformedRecord
from otel.folders import START, Position
from otel.lines import LineReader, position_before_last
from otel.redact import clean, has_nothing_to_clean
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from pathlib import Path

    from otel.chain import Record
    from otel.config import ShipLimits
    from otel.lines import Line


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, the journal's line that it was read from, and where the cursor goes behind it."""

    record: Record
    line: bytes
    end: Position


class Backlog:
    """One writer's records for one sink, from its cursor on."""

    def __init__(self, folder: Path, sink: str, *, start: Position, limits: ShipLimits) -> None:
        """Go on at the saved cursor; without one, at `start`."""
        self._folder = folder
        self._sink = sink
        self._limits = limits
        self._pending: list[Line] = []
        self.problems: set[str] = set()
        self._reader = LineReader(folder, self._first(start))

    def next_batch(self) -> list[Entry]:
        """The next records, the same ones until they are acknowledged, and more as they come."""
        while lines := self._fill():
            entries = [
                Entry(record, line.data, line.end)
                for line in lines
                if (record := self._parse(line)) is not None
            ]
            if entries:
                return entries
            self._drop_to(lines[-1].end)  # nothing but damage, which is already told
        return []

    def acknowledge(self, last: Entry) -> None:
        """The sink has everything up to this record: never send it again."""
        self._drop_to(last.end)
        self._save(last.end, last.record.seq, last.record.digest.hex())

    def count(self) -> int:
        """How many records wait."""
        return len(self._pending) + sum(1 for _ in LineReader(self._folder, self._reader.position))

    def _save(self, position: Position, seq: int, digest: str) -> None:
        cursor = Cursor(
            segment=position.segment,
            offset=position.offset,
            seq=seq,
            hash=digest,
            first_segment=self._begun.segment,
            first_offset=self._begun.offset,
        )
        try:
            cursors.save(self._folder, self._sink, cursor)
        except (OSError, JournalBroken) as error:
            # Going on costs duplicates after a restart; stopping would cost the records.
            self.problems.add(f"the position can't be saved: {error}")

    def _first(self, start: Position) -> Position:
        cursor = cursors.load(self._folder, self._sink)
        self._begun = start
        if cursor is None:
            # Saved before anything is sent: should this run's records not get out, the next run
            # begins with them and not with its own.
            self._save(start, 0, "")
            return start
        position = Position(cursor.segment, cursor.offset)
        if self._continues(cursor, position):
            self._begun = Position(cursor.first_segment, cursor.first_offset)
            return position
        self._begun = START
        self.problems.add("the journal is not the one that was exported before: sending it anew")
        return START

    def _continues(self, cursor: Cursor, position: Position) -> bool:
        """Whether the record at the cursor follows the one that was delivered last."""
        lines = LineReader(self._folder, position).read()
        if not lines:
            return position == position_before_last(self._folder, 0)
        try:
            return cursor.hash in {"", parse(lines[0].data).previous.hex()}
        except MalformedRecord:
            return False

    def _fill(self) -> list[Line]:
        limits = self._limits
        if len(self._pending) < limits.batch_records:
            self._pending += self._reader.read()
        lines: list[Line] = []
        size = 0
        for line in self._pending[: limits.batch_records]:
            size += len(line.data)
            if lines and size > limits.batch_bytes:
                break
            lines.append(line)
        return lines

    def _drop_to(self, end: Position) -> None:
        done = (end.segment, end.offset)
        self._pending = [
            line for line in self._pending if (line.end.segment, line.end.offset) > done
        ]

    def _parse(self, line: Line) -> Record | None:
        try:
            record = parse(line.data)
        except MalformedRecord as error:
            self.problems.add(f"{line.place(self._folder)}: {error}")
            return None
        # The line stands for all texts in it, which takes a tenth of looking at each.
        if has_nothing_to_clean(line.data.decode()):
            return record
        return replace(record, attributes=clean(record.attributes))
