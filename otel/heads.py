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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel import durable, folders
from otel.chain import MAX_LINE, WRITER_ID
from otel.errors import JournalBroken

if TYPE_CHECKING:
    from pathlib import Path

    from otel.keys import SigningKey

FOLDER = "heads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A checkpoint's line without its line feed, and the position behind it."""

    segment: int
    offset: int
    line: bytes
    seal: str

    def is_sealed_by(self, key: SigningKey) -> bool:
        """Whether whoever holds this key wrote it."""
        return hmac.compare_digest(
            key.seal(_sealed(self.segment, self.offset, self.line)), self.seal
        )


def save(
    directory: Path, writer: str, key: SigningKey, *, end: folders.Position, line: bytes
) -> None:
    """Remember a checkpoint that is on the disk. Raises OSError or `JournalBroken`."""
    seal = key.seal(_sealed(end.segment, end.offset, line))
    fields = {"segment": end.segment, "offset": end.offset, "line": line.decode(), "seal": seal}
    durable.replace(directory / FOLDER, writer, json.dumps(fields).encode())


def load(directory: Path, writer: str) -> Head | None:
    """Read what was remembered; None when there is nothing that makes sense."""
    try:
        descriptor = folders.open_for_reading(directory / FOLDER / writer)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
            fields = json.loads(file.read(MAX_LINE))
        segment, offset, line, seal = (fields[name] for name in _FIELDS)
        whole = type(segment) is int and type(offset) is int and segment > 0 and offset > 0
        if whole and isinstance(line, str) and isinstance(seal, str) and seal.isascii():
            return Head(segment=segment, offset=offset, line=line.encode(), seal=seal)
    except (OSError, ValueError, TypeError, LookupError, JournalBroken):
        pass
    return None


def remembered(directory: Path) -> list[str]:
    """Ids of all writers that have a head here."""
    found: list[str] = []
    with suppress(OSError), os.scandir(directory / FOLDER) as entries:
        found = sorted(entry.name for entry in entries if WRITER_ID.fullmatch(entry.name))
    return found


_FIELDS = ("segment", "offset", "line", "seal")


def _sealed(segment: int, offset: int, line: bytes) -> bytes:
    return f"{segment}:{offset}\n".encode() + line
