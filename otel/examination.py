"""Whether a chain's end is still what it was when it was left; asked before it is gone on with.

At every start, so not the whole journal: the checkpoint that was remembered has to stand where it
stood, and what follows the last checkpoint has to hold, which is some thousand records at most.
After an orderly end `heads.untouched` has seen enough. `verification` checks whole chains.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel import folders, heads, keys
from otel.chain import parse
from otel.checkpoints import read_mark
from otel.errors import ChainChanged, JournalBroken, MalformedRecord, said
from otel.events import AuditCheckpoint
from otel.folders import START, Position
from otel.heads import Left
from otel.keeping import EVERY_RECORDS
from otel.lines import LineReader, position_before_last

if TYPE_CHECKING:
    from pathlib import Path

    from otel.chain import Record
    from otel.heads import Head
    from otel.keys import SigningKey

# A checkpoint comes within this much: 1,000 records of 600 bytes, and twenty times over.
_LOOK_BACK = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_MARKER = f'"name":"{AuditCheckpoint.name}"'.encode()


def examine(directory: Path, writer: str, key: SigningKey | None) -> Left:
    """Check the end of a chain that nobody writes. Raises `ChainChanged`; reads only."""
    folder = directory / writer
    try:
        return _examine(directory, folder, key)
    except OSError as error:
        raise ChainChanged("unreadable", str(error.filename or folder), said(error)) from error
    except JournalBroken as error:
        raise ChainChanged("unreadable", str(folder), str(error)) from error
    except MalformedRecord as error:
        raise ChainChanged("hash", str(folder), str(error)) from error


def _examine(directory: Path, folder: Path, key: SigningKey | None) -> Left:
    head = heads.load(directory, folder.name)
    if head is not None:
        _compare(folder, head)
    at, line = last_checkpoint(folder)
    if line is None:
        if head is not None and key is not None:
            raise ChainChanged("checkpoint_missing", str(folder), "no checkpoint near the end")
        return _walk(folder, position_before_last(folder, EVERY_RECORDS), None)
    if not (head is not None and line == head.line and key is not None and head.is_sealed_by(key)):
        _check_signature(directory, folder, line)
    return _walk(folder, at, parse(line))


def _compare(folder: Path, head: Head) -> None:
    """The remembered checkpoint stands where it stood: else something was cut off, or rewritten."""
    path = folder / folders.segment_name(head.segment)
    start = head.offset - len(head.line) - 1
    where = f"{path} at byte {start}"
    try:
        descriptor = folders.open_for_reading(path)
    except FileNotFoundError:
        raise ChainChanged("truncated", where, "a checkpoint is gone with its segment") from None
    try:
        found = os.pread(descriptor, len(head.line) + 1, max(0, start))
    finally:
        os.close(descriptor)
    if len(found) <= len(head.line):
        raise ChainChanged("truncated", where, "a checkpoint that was written is cut off")
    if found != head.line + b"\n":
        raise ChainChanged("hash", where, "another record than the checkpoint that was written")


def last_checkpoint(folder: Path) -> tuple[Position, bytes | None]:
    """The position behind it, and its line if there is one."""
    left = _LOOK_BACK
    for number in reversed(folders.segment_numbers(folder)):
        descriptor = folders.open_for_reading(folder / folders.segment_name(number))
        try:
            size = os.fstat(descriptor).st_size
            low = max(0, size - left)
            end, line = _search(descriptor, low, size)
        finally:
            os.close(descriptor)
        left -= size - low
        if line is not None or not left:
            return Position(number, end), line
    return START, None


def _search(descriptor: int, low: int, high: int) -> tuple[int, bytes | None]:
    """The last checkpoint between two offsets: the offset behind it, and its line."""
    block = b""
    while high > low:
        start = max(low, high - _CHUNK)
        block = os.pread(descriptor, high - start, start) + block
        while (found := block.rfind(_MARKER)) >= 0:
            begin, end = block.rfind(b"\n", 0, found) + 1, block.find(b"\n", found)
            if end < 0:  # half a line, which a killed writer left
                block = block[:begin]
            elif begin or not start:
                return start + end + 1, block[begin:end]
            else:
                break  # its beginning is further up
        high = start
    return low, None


def _check_signature(directory: Path, folder: Path, line: bytes) -> None:
    record = parse(line)
    mark, signature = read_mark(record.attributes, record.timestamp)
    public = keys.public_keys(directory).get(mark.key_id)
    if public is None:
        raise ChainChanged("signature", str(folder), f"signed by key {mark.key_id}, unknown here")
    if mark.writer != folder.name or not keys.is_signed(public, signature, mark.message()):
        raise ChainChanged(
            "signature", str(folder), "the last checkpoint's signature does not hold"
        )
    if (mark.head_seq, mark.head_hash) != (record.seq - 1, record.previous.hex()):
        raise ChainChanged("signature", str(folder), "the last checkpoint signs another record")


def _walk(folder: Path, at: Position, checkpoint: Record | None) -> Left:
    """Whatever is written behind the last checkpoint follows from it."""
    last = checkpoint
    for line in LineReader(folder, at):
        place = line.place(folder)
        try:
            record = parse(line.data)
        except MalformedRecord as error:
            raise ChainChanged("hash", place, str(error)) from error
        if record.digest != record.expected_digest or record.writer != folder.name:
            raise ChainChanged("hash", place, "a record that was changed")
        if last is not None and (record.seq != last.seq + 1 or record.previous != last.digest):
            raise ChainChanged("sequence", place, "does not follow the record before it")
        last = record
    if checkpoint is None:
        return Left(0, 0)
    return Left(read_mark(checkpoint.attributes, checkpoint.timestamp)[0].number, checkpoint.seq)
