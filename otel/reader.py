"""The journal as people read it: the records of all writers, in the order of time.

What is read may have been tampered with, so its text is cleaned again; whether the chain holds is
for `verification` to say. A line that can't be read is reported and passed over.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

from otel import attributes as a
from otel import folders
from otel.chain import canonical, parse
from otel.errors import JournalBroken, MalformedRecord
from otel.folders import START
from otel.lines import LineReader, position_before_last
from otel.redact import clean
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from otel.attributes import Value
    from otel.chain import Record
    from otel.lines import Line

    type Report = Callable[[str], None]

_BEFORE_TIME = b',"ts":"'
_TIME_LENGTH = len("2026-01-02T03:04:05.678Z")


def writers(directory: Path) -> list[Path]:
    """Folders of all writers. Raises `JournalBroken` when there is no journal to read."""
    try:
        found = folders.writer_names(directory)
    except OSError as error:
        raise JournalBroken(f"no audit journal in {directory}: {error.strerror}") from error
    if not found:
        raise JournalBroken(f"no audit journal in {directory}")
    return [directory / name for name in found]


class Span(NamedTuple):
    """A period; timestamps as records have them, which sort as text. Both ends belong to it."""

    since: str | None = None
    until: str | None = None

    def holds(self, timestamp: str) -> bool:
        """Whether something happened within it."""
        return (self.since is None or timestamp >= self.since) and (
            self.until is None or timestamp <= self.until
        )

    def may_hold(self, line: bytes) -> bool:
        """Tell so of a line that nobody parsed: ten times faster. What is no record is parsed.

        Within `attrs`, which comes first, a quote has a backslash before it.
        """
        begin = line.rfind(_BEFORE_TIME) + len(_BEFORE_TIME)
        stamp = line[begin : begin + _TIME_LENGTH]
        return begin < len(_BEFORE_TIME) or self.holds(stamp.decode("ascii", "replace"))


ALWAYS = Span()


def read(
    directory: Path, report: Report, *, last: int | None = None, span: Span = ALWAYS
) -> Iterator[Record]:
    """All records of all writers merged by time: of a period, or only the last ones.

    `report` is called with one line of text for each line that is no record, and for each file
    that can't be read. Raises `JournalBroken` when there is nothing to read at all.
    """
    merged = heapq.merge(
        *(_records(folder, report, last, span) for folder in writers(directory)), key=_order
    )
    return merged if last is None else iter(_keep_last(merged, last))


class Follower:
    """Records that are written from now on, by writers old and new."""

    def __init__(self, directory: Path, report: Report) -> None:
        self._directory = directory
        self._report = report
        self._readers = {
            folder: LineReader(folder, position_before_last(folder, 0))
            for folder in writers(directory)
        }

    def poll(self) -> list[Record]:
        """What was written since the last call, in order of time."""
        for folder in writers(self._directory):
            if folder not in self._readers:
                self._readers[folder] = LineReader(folder)
        found = (
            record
            for folder, reader in self._readers.items()
            for record in _parsed(folder, reader, self._report)
        )
        return sorted(found, key=_order)


def flat(record: Record) -> dict[str, Value]:
    """One event as flat attributes, as `--json` prints it."""
    return {
        **record.attributes,
        a.EVENT_NAME: record.name,
        a.EVENT_TIMESTAMP: record.timestamp,
        a.RECORD_UID: record.uid,
    }


def flat_line(record: Record) -> str:
    """`flat` as one line of JSON with sorted keys."""
    return canonical(flat(record))


def _records(folder: Path, report: Report, last: int | None, span: Span) -> Iterator[Record]:
    try:
        start = START if last is None else position_before_last(folder, last)
        lines: Iterable[Line] = LineReader(folder, start)
        if span != ALWAYS:
            lines = (line for line in lines if span.may_hold(line.data))
        yield from _parsed(folder, lines, report)
    except OSError as error:
        report(f"{error.filename or folder}: {error.strerror}")
    except JournalBroken as error:
        report(str(error))


def _parsed(folder: Path, lines: Iterable[Line], report: Report) -> Iterator[Record]:
    for line in lines:
        try:
            record = parse(line.data)
        except MalformedRecord as error:
            report(f"{line.place(folder)}: {error}")
        else:
            yield replace(record, attributes=clean(record.attributes))


def _keep_last(records: Iterator[Record], count: int) -> list[Record]:
    from collections import deque

    return list(deque(records, maxlen=count))


def _order(record: Record) -> tuple[str, str, int]:
    return record.order
