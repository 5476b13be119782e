"""The last checkpoint of each writer, remembered beside its folder: `DIR/heads/<writer>`.

A chain that is cut off, a folder put back from an older copy and a folder that is gone leave no
trace in what remains; here they do. It is no anchor: whoever can write the journals can write here,
too. Written after the records are on the disk, so a power cut makes it old, never wrong; sealed by
a hash that takes the signing key, so that a start need not load what checks signatures.
"""

from __future__ import annotations

import hmac
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from otel import durable, folders
from otel.chain import MAX_LINE
from otel.errors import JournalBroken

if TYPE_CHECKING:
    from pathlib import Path

    from otel.keys import SigningKey

FOLDER = "heads"


class Left(NamedTuple):
    """Where checkpoints go on: number and record of the last one; zeros before the first."""

    number: int
    seq: int


class Head(NamedTuple):
    """A checkpoint's line without its line feed, and the position behind it."""

    segment: int
    offset: int
    left: Left
    line: bytes
    seal: str

    def is_sealed_by(self, key: SigningKey) -> bool:
        """Whether whoever holds this key wrote it."""
        end = folders.Position(self.segment, self.offset)
        return hmac.compare_digest(key.seal(_sealed(end, self.left, self.line)), self.seal)


def save(  # noqa: PLR0913 what is remembered
    directory: Path,
    writer: str,
    key: SigningKey,
    *,
    end: folders.Position,
    left: Left,
    line: bytes,
) -> None:
    """Remember a checkpoint that is on the disk. Raises OSError or `JournalBroken`."""
    values = (end.segment, end.offset, *left, line.decode(), key.seal(_sealed(end, left, line)))
    fields = dict(zip(_FIELDS, values, strict=True))
    durable.replace(directory / FOLDER, writer, json.dumps(fields).encode())


def untouched(directory: Path, writer: str, key: SigningKey | None) -> Left | None:
    """Where an orderly end left the checkpoints, if the chain still ends with that very one.

    None: `examination` has to look closer.
    """
    head = load(directory, writer)
    if head is None or key is None or not head.is_sealed_by(key):
        return None
    folder = directory / writer
    try:
        if folders.segment_numbers(folder)[-1:] != [head.segment]:
            return None
        descriptor = folders.open_for_reading(folder / folders.segment_name(head.segment))
    except (OSError, JournalBroken):
        return None
    start = head.offset - len(head.line) - 1
    try:
        # A byte more than is due: nothing may follow.
        found = os.pread(descriptor, len(head.line) + 2, max(0, start))
    finally:
        os.close(descriptor)
    return head.left if start >= 0 and found == head.line + b"\n" else None


def load(directory: Path, writer: str) -> Head | None:
    """Read what was remembered; None when there is nothing that makes sense, or can be read."""
    with suppress(OSError, JournalBroken):
        return read(directory, writer)
    return None


def read(directory: Path, writer: str) -> Head | None:
    """The same. Raises OSError or `JournalBroken` where it can't be read."""
    descriptor = folders.open_for_reading(directory / FOLDER / writer)
    with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
        content = file.read(MAX_LINE)
    try:
        fields = json.loads(content)
        *numbers, line, seal = (fields[name] for name in _FIELDS)
        whole = all(type(number) is int and number > 0 for number in numbers)
        if whole and isinstance(line, str) and isinstance(seal, str) and seal.isascii():
            segment, offset, number, seq = numbers
            return Head(segment, offset, Left(number, seq), line.encode(), seal)
    except (ValueError, TypeError, LookupError):
        pass
    return None


def remembered(directory: Path) -> list[str]:
    """Ids of all writers that have a head here. Raises OSError where that can't be seen."""
    try:
        return folders.writer_names(directory / FOLDER)
    except FileNotFoundError:
        return []


_FIELDS = ("segment", "offset", "number", "seq", "line", "seal")


def _sealed(end: folders.Position, left: Left, line: bytes) -> bytes:
    return f"{end.segment}:{end.offset}:{left.number}:{left.seq}\n".encode() + line
