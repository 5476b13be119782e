"""How far one collector has got with one writer's records: a small file in the writer's folder.

It is replaced as a whole after each acknowledged batch, so a crash leaves the old or the new one.
A lost or damaged cursor means that records are sent again; collectors tell them by their uid.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from otel import folders

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Behind the last acknowledged record: where, which, and its hash.

    `hash` is empty before the first acknowledgement: then there is only the place to begin.
    """

    segment: int
    offset: int
    seq: int
    hash: str


def sink_name(endpoint: str) -> str:
    """File name of a collector's cursor and lock; the endpoint itself stays out of the folder."""
    return f"ship-{hashlib.sha256(endpoint.encode()).hexdigest()[:16]}"


def load(folder: Path, sink: str) -> Cursor | None:
    """Read the saved cursor; None when there is none that makes sense."""
    try:
        with open(folders.open_for_reading(folder / f"{sink}.cursor"), "rb") as file:  # noqa: PTH123  # a descriptor
            fields = json.loads(file.read(_LIMIT))
        cursor = Cursor(**fields)
    except (OSError, ValueError, TypeError):
        return None
    numbers = (cursor.segment, cursor.offset, cursor.seq)
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return cursor if whole and isinstance(cursor.hash, str) else None


def exported(directory: Path, writer: str, endpoint: str) -> int:
    """Number of the last record of `writer` that this collector acknowledged; 0 for none."""
    cursor = load(directory / writer, sink_name(endpoint))
    return cursor.seq if cursor else 0


def save(folder: Path, sink: str, cursor: Cursor) -> None:
    """Write, sync and rename: durable when this returns. Raises OSError."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        new = f"{sink}.new"
        descriptor = folders.open_for_writing(directory, new, os.O_WRONLY | os.O_TRUNC)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            file.write(json.dumps(asdict(cursor)).encode())
            file.flush()
            os.fsync(descriptor)
        os.rename(new, f"{sink}.cursor", src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(directory)
    finally:
        os.close(directory)
