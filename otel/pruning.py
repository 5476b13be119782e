"""Takes away old segments: recorded, signed and on the disk before the file goes.

The oldest one of a writer at a time, by the process that has the writer's lock. After a crash
between the record and the end of the file, the next one ends the file without a second record.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from otel import attributes as a
from otel import chain, cursor, folders, heads, keys
from otel.checkpoints import read_mark
from otel.errors import MalformedRecord
from otel.events import AuditCheckpoint, SegmentRemoved
from otel.folders import Position
from otel.lines import LineReader, first_line, last_line
from otel.retention import Facts, why_kept
from otel.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel.chain import Record
    from otel.evidence import Evidence
    from otel.retention import Rules

HOLD = "hold"
_MARKERS = tuple(f'"name":"{kind.name}"'.encode() for kind in (AuditCheckpoint, SegmentRemoved))


class Candidate(NamedTuple):
    """A writer's oldest segment. `kept` says why it stays; None: it goes."""

    writer: str
    segment: str
    removal: SegmentRemoved | None  # what has to be recorded; None: it was, before a crash
    kept: str | None


def candidates(directory: Path, writer: str, rules: Rules, *, now_ns: int) -> Iterator[Candidate]:
    """The segments that may go, oldest first, and the first that may not. Changes nothing.

    Raises OSError, `JournalBroken` and `MalformedRecord` for a chain that can't be read.
    """
    look = _Look(directory, directory / writer, rules, now_ns)
    for number in folders.segment_numbers(look.folder):
        found = look.at(number)
        yield found
        if found.kept is not None:
            return
        del look.sizes[number]


def prune(evidence: Evidence, rules: Rules) -> list[str]:
    """Remove what may go of the journal that this evidence keeps; the names of what went.

    Raises what `candidates` does, and `AuditUnavailable` where a removal can't be recorded.
    """
    journal, directory = evidence.journal, evidence.directory
    gone = []
    if not rules.bounds:
        return []
    for each in candidates(directory, journal.writer, rules, now_ns=journal.now_ns()):
        number = int(each.segment[:8])
        if each.kept is not None:
            break
        if each.removal is not None:
            evidence.record_signed(each.removal)
        if not _is_behind(evidence, number):
            break
        (directory / journal.writer / each.segment).unlink()
        gone.append(each.segment)
    return gone


def _is_behind(evidence: Evidence, number: int) -> bool:
    """Whether what is remembered beside the journal stands in a later segment."""
    head = heads.load(evidence.directory, evidence.journal.writer)
    return head is None or head.segment > number


class _Sealed(NamedTuple):
    digest: str
    end: Position  # of the checkpoint that says so


@dataclass(slots=True)
class _Seen:
    """What good checkpoints in a chain say, and the removals that one of them comes behind."""

    sealed: dict[str, _Sealed] = field(default_factory=dict)
    removed: dict[str, object] = field(default_factory=dict)  # hashes
    ends: set[tuple[object, object]] = field(default_factory=set)  # number and hash of their last


class _Look:
    """At one writer's segments, the oldest first. What is costly to know is asked for last."""

    def __init__(self, directory: Path, folder: Path, rules: Rules, now_ns: int) -> None:
        self._directory = directory
        self.folder = folder
        self._rules = rules
        self._now_ns = now_ns
        self._numbers = folders.segment_numbers(folder)
        self.sizes = {number: _size(folder, number) for number in self._numbers}
        self._seen: _Seen | None = None

    def at(self, number: int) -> Candidate:
        name = folders.segment_name(number)
        is_empty = not self.sizes[number] and number != self._numbers[-1]
        newest_ns = 0 if is_empty else chain.nanoseconds(_last(self.folder, number).timestamp)
        facts = Facts(
            is_held=os.path.lexists(self._directory / HOLD),
            is_finished=number != self._numbers[-1],
            newest_ns=newest_ns,
            total_bytes=sum(self.sizes.values()),
            sinks=len(self._rules.sinks),
            is_exported=self._have(Position(number, self.sizes[number])),
        )
        kept = self._why_kept(facts)
        if kept is not None or is_empty:  # such as a sync leaves that failed
            return Candidate(self.folder.name, name, None, kept)
        seen = self._seen = self._seen or _see(self._directory, self.folder, self._numbers[0])
        removal, first = self._removal(number)
        sealed, recorded = seen.sealed.get(name), seen.removed.get(name)
        facts = replace(
            facts,
            is_exported=sealed is None or self._have(sealed.end),
            is_signed=removal.digest in {recorded, sealed and sealed.digest},
            is_accounted=first.seq == 1
            or number > self._numbers[0]
            or (first.seq - 1, first.previous.hex()) in seen.ends,
        )
        due = removal if recorded is None else None
        return Candidate(self.folder.name, name, due, self._why_kept(facts))

    def _why_kept(self, facts: Facts) -> str | None:
        return why_kept(facts, self._rules.bounds, now_ns=self._now_ns)

    def _have(self, position: Position) -> bool:
        return cursor.passed_by_all(self.folder, self._rules.sinks, position)

    def _removal(self, number: int) -> tuple[SegmentRemoved, Record]:
        """The record of this segment's removal, with the hash that its file has now."""
        name = folders.segment_name(number)
        first, last = _record(first_line(self.folder, number)), _last(self.folder, number)
        descriptor = folders.open_for_reading(self.folder / name)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        removal = SegmentRemoved(
            segment=name,
            digest=digest,
            first_seq=first.seq,
            last_seq=last.seq,
            last_hash=last.digest.hex(),
        )
        return removal, first


def _see(directory: Path, folder: Path, start: int) -> _Seen:
    """Read the chain once."""
    found = _Seen()
    unsigned: list[Record] = []
    public = keys.public_keys(directory)
    for line in LineReader(folder, Position(start, 0)):
        if not any(marker in line.data for marker in _MARKERS):
            continue
        record = chain.parse(line.data)
        if record.name == SegmentRemoved.name:
            unsigned.append(record)
            continue
        mark, signature = read_mark(record.attributes, record.timestamp)
        key = public.get(mark.key_id)
        if key is None or not keys.is_signed(key, signature, mark.message()):
            continue
        for each in unsigned:
            name, digest, seq, last = (each.attributes.get(attribute) for attribute in _REMOVED)
            found.removed[str(name)] = digest
            found.ends.add((seq, last))
        unsigned.clear()
        if mark.sealed_segment is not None and mark.sealed_digest is not None:
            found.sealed[mark.sealed_segment] = _Sealed(mark.sealed_digest, line.end)
    return found


_REMOVED = (a.SEGMENT_NAME, a.SEALED_DIGEST, a.SEGMENT_LAST_SEQ, a.SEGMENT_LAST_HASH)


def _record(line: bytes | None) -> Record:
    if line is None:
        raise MalformedRecord("a segment without records")
    return chain.parse(line)


def _last(folder: Path, number: int) -> Record:
    return _record(last_line(folder, number))


def _size(folder: Path, number: int) -> int:
    return (folder / folders.segment_name(number)).stat().st_size
