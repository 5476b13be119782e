"""What one collector has not yet got of one writer's journal: the journal itself is the queue.

Gives batches in order and moves the cursor on once a batch is acknowledged, so every record is
delivered at least once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from otel import cursor as cursors
from otel.chain import parse
from otel.cursor import Cursor
from otel.errors import JournalBroken, MalformedRecord
from otel.folders import START, Position
from otel.lines import LineReader
from otel.redact import clean

if TYPE_CHECKING:
    from pathlib import Path

    from otel.chain import Record
    from otel.config import ShipLimits
    from otel.lines import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records to send together, and where the cursor goes when they are delivered."""

    records: tuple[Record, ...]
    end: Position


class Backlog:
    """One writer's records for one collector, from its cursor on."""

    def __init__(self, folder: Path, sink: str, *, start: Position, limits: ShipLimits) -> None:
        """Go on at the saved cursor; without one, at `start`."""
        self._folder = folder
        self._sink = sink
        self._limits = limits
        self._pending: list[Line] = []
        self.problems: set[str] = set()
        self._reader = LineReader(folder, self._first(start))

    def next_batch(self) -> Batch | None:
        """The next records, the same ones until they are acknowledged. None: nothing new."""
        while lines := self._fill():
            records = [record for line in lines if (record := self._parse(line)) is not None]
            if records:
                return Batch(records=tuple(records), end=lines[-1].end)
            self._drop(lines[-1].end)  # nothing but damage, which is already told
        return None

    def acknowledge(self, batch: Batch) -> None:
        """The collector has the batch: never send it again."""
        self._drop(batch.end)
        last = batch.records[-1]
        cursor = Cursor(
            segment=batch.end.segment,
            offset=batch.end.offset,
            seq=last.seq,
            hash=last.digest.hex(),
        )
        try:
            cursors.save(self._folder, self._sink, cursor)
        except (OSError, JournalBroken) as error:
            # Going on costs duplicates after a restart; stopping would cost the records.
            self.problems.add(f"the position can't be saved: {error}")

    def count(self) -> int:
        """How many records wait."""
        return len(self._pending) + sum(1 for _ in LineReader(self._folder, self._reader.position))

    def _first(self, start: Position) -> Position:
        cursor = cursors.load(self._folder, self._sink)
        if cursor is None:
            return start
        position = Position(cursor.segment, cursor.offset)
        if self._continues(cursor, position):
            return position
        self.problems.add("the journal is not the one that was exported before: sending it anew")
        return START

    def _continues(self, cursor: Cursor, position: Position) -> bool:
        """Whether the record at the cursor follows the one that was delivered last."""
        lines = LineReader(self._folder, position).read()
        if not lines:
            return position == self._end()
        try:
            return parse(lines[0].data).previous.hex() == cursor.hash
        except MalformedRecord:
            return False

    def _end(self) -> Position:
        from otel.lines import position_before_last

        return position_before_last(self._folder, 0)

    def _fill(self) -> list[Line]:
        limits = self._limits
        if not self._pending:
            self._pending = self._reader.read()
        lines: list[Line] = []
        size = 0
        for line in self._pending[: limits.batch_records]:
            size += len(line.data)
            if lines and size > limits.batch_bytes:
                break
            lines.append(line)
        return lines

    def _drop(self, end: Position) -> None:
        while self._pending and self._pending[0].end != end:
            self._pending.pop(0)
        self._pending = self._pending[1:]

    def _parse(self, line: Line) -> Record | None:
        try:
            record = parse(line.data)
        except MalformedRecord as error:
            self.problems.add(f"{line.place(self._folder)}: {error}")
            return None
        return replace(record, attributes=clean(record.attributes))
