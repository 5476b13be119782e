"""How the export of one writer's records stands: for people, metrics, and the gateway's own record.

The exporter may not write into the chain that it exports. What has to be on record of it (a sink
stands still, goes on, or would not take records) it leaves in its status file as numbered notices,
durably, and the gateway that writes the chain records them (`export_notices`). How far a sink has
got is not said here but seen: from its cursor and the journal, whether an exporter runs or not.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from otel import cursor as cursors
from otel import folders
from otel.chain import nanoseconds, parse
from otel.errors import JournalBroken, MalformedRecord
from otel.folders import START, Position
from otel.lines import LineReader, position_before_last
from otel.values import asdict, dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from otel.chain import Record

STALLED = "stalled"
RECOVERED = "recovered"
REJECTED = "rejected"

_SUFFIX = ".status"
_STATES = frozenset((STALLED, RECOVERED, REJECTED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What a sink has not got: records, the age of the oldest of them, and their bytes."""

    records: int
    ms: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that has to be on record. Numbers grow by one for each sink and writer."""

    number: int
    state: str  # STALLED, RECOVERED or REJECTED
    lag_records: int
    lag_ms: int
    rejected: int  # records that this notice is about
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What an exporter leaves about one sink. Counts are sums over all of its processes."""

    label: str  # "otlp https://collector.example:4318/v1/logs"
    required: bool
    stalled: bool
    delivered: int
    rejected: int  # by the sink, or set aside because it can't use them
    error: str  # why nothing was delivered last time; empty: it was
    last_number: int  # of all notices so far
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """One sink of one writer, as it stands now."""

    key: str
    status: Status
    lag: Lag


def statuses(folder: Path, *, now_ns: int) -> list[SinkStatus]:
    """All sinks that ever got, or were to get, records of the writer in `folder`.

    A file that can't be read counts as none. Raises OSError when the folder can't be read.
    """
    with os.scandir(folder) as found:
        keys = sorted(
            entry.name.removesuffix(_SUFFIX)
            for entry in found
            if entry.name.startswith("ship-") and entry.name.endswith(_SUFFIX)
        )
    return [
        SinkStatus(key=key, status=status, lag=lag(folder, key, now_ns=now_ns))
        for key in keys
        if (status := load(folder, key)) is not None
    ]


def load(folder: Path, sink: str) -> Status | None:
    """One sink's status; None when there is none that makes sense."""
    try:
        fields = json.loads(folders.read_small(folder, f"{sink}{_SUFFIX}") or b"")
        notices = tuple(Notice(**each) for each in fields.pop("notices"))
        status = Status(**fields, notices=notices)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return status if _is_whole(status) else None


def save(folder: Path, sink: str, status: Status) -> None:
    """Replace the status: durable when this returns. Raises OSError and `JournalBroken`."""
    content = json.dumps(asdict(status)).encode()
    folders.replace_file(folder, f"{sink}{_SUFFIX}", content)


def lag(folder: Path, sink: str, *, now_ns: int) -> Lag:
    """What the journal holds behind a sink's cursor. Damage there counts as nothing."""
    position = _behind(folder, sink)
    oldest = _first(folder, position)
    if oldest is None:
        return Lag(records=0, ms=0, bytes=0)
    newest = _first(folder, position_before_last(folder, 1)) or oldest
    age_ms = (now_ns - nanoseconds(oldest.timestamp)) // 1_000_000
    return Lag(
        records=max(1, newest.seq - oldest.seq + 1),
        ms=max(0, age_ms),
        bytes=_bytes_behind(folder, position),
    )


def unexported_bytes(folder: Path, sink: str) -> int:
    """So much of the journal a sink has not got. Reads no record."""
    return _bytes_behind(folder, _behind(folder, sink))


def _behind(folder: Path, sink: str) -> Position:
    cursor = cursors.load(folder, sink)
    return START if cursor is None else Position(cursor.segment, cursor.offset)


def _first(folder: Path, position: Position) -> Record | None:
    try:
        lines = LineReader(folder, position).read()
        return parse(lines[0].data) if lines else None
    except (OSError, JournalBroken, MalformedRecord):
        return None


def _bytes_behind(folder: Path, position: Position) -> int:
    total = 0
    for number in folders.segment_numbers(folder):
        if number >= position.segment:
            size = (folder / folders.segment_name(number)).stat().st_size
            total += size - (position.offset if number == position.segment else 0)
    return max(0, total)


def _is_whole(status: Status) -> bool:
    """Whether every field is what it is declared as: the file may hold anything."""
    counts: tuple[object, ...] = (status.delivered, status.rejected, status.last_number)
    texts: tuple[object, ...] = (status.label, status.error)
    flags: tuple[object, ...] = (status.required, status.stalled)
    return (
        all(type(count) is int and count >= 0 for count in counts)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
        and all(_is_notice(notice) for notice in status.notices)
    )


def _is_notice(notice: Notice) -> bool:
    counts: tuple[object, ...] = (
        notice.number,
        notice.lag_records,
        notice.lag_ms,
        notice.rejected,
    )
    error: object = notice.error
    return (
        all(type(count) is int and count >= 0 for count in counts)
        and notice.state in _STATES
        and isinstance(error, str)
    )
