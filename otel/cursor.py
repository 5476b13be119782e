"""How far one sink has got with one writer's records: a small file in the writer's folder.

It is replaced as a whole after each acknowledged batch, so a crash leaves the old or the new one.
A lost or damaged cursor means that records are sent again; sinks tell them by their uid. Before
retention takes anything away, it asks `passed_by_all`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from otel import folders
from otel.folders import START
from otel.values import asdict, dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from otel.folders import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Behind the last acknowledged record: where, which, and its hash.

    `hash` is empty before the first acknowledgement: then there is only the place to begin.
    """

    segment: int
    offset: int
    seq: int
    hash: str
    # Where this sink's part begins: what is before that was written when it was not configured.
    first_segment: int = START.segment
    first_offset: int = START.offset


def load(folder: Path, sink: str) -> Cursor | None:
    """Read the saved cursor; None when there is none that makes sense."""
    try:
        cursor = Cursor(**json.loads(folders.read_small(folder, f"{sink}.cursor") or b""))
    except (ValueError, TypeError, RecursionError):
        return None
    numbers = (cursor.segment, cursor.offset, cursor.seq, cursor.first_segment, cursor.first_offset)
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return cursor if whole and isinstance(cursor.hash, str) else None


def exported(directory: Path, writer: str, sink: str) -> int:
    """Number of the last record of `writer` that this sink acknowledged; 0 for none."""
    cursor = load(directory / writer, sink)
    return cursor.seq if cursor else 0


def passed_by_all(folder: Path, sinks: Iterable[str], position: Position) -> bool:
    """Whether every one of these sinks has all records of a segment before `position` in it.

    For retention, with `otel.sinks.required_keys`: the end of a sealed segment is
    `Position(number, its size)`. A sink without a cursor, or with a damaged one, has nothing, and
    one that began within the segment or behind it has not all of it.
    """
    return all(_has_passed(load(folder, sink), position) for sink in sinks)


def _has_passed(cursor: Cursor | None, position: Position) -> bool:
    if cursor is None:
        return False
    began = (cursor.first_segment, cursor.first_offset) <= (position.segment, 0)
    return began and (cursor.segment, cursor.offset) >= (position.segment, position.offset)


def save(folder: Path, sink: str, cursor: Cursor) -> None:
    """Write, sync and rename: durable when this returns. Raises OSError."""
    folders.replace_file(folder, f"{sink}.cursor", json.dumps(asdict(cursor)).encode())
