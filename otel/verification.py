"""Does the chain hold? Finds every edit, cut in the middle, swap, gap, duplicate and foreign line.

What a chain alone can't show: records cut off at its end (at a line boundary), a writer's folder
that is gone as a whole, and a chain that was written anew from its first record. Whoever may write
the folder can do these three; only an anchor elsewhere shows them, such as the exported records,
which carry each record's number and hash.

`check` is pure; `verify` at the end reads the files for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from otel import folders
from otel.chain import MAX_LINE, genesis, parse
from otel.errors import JournalBroken, MalformedRecord
from otel.lock import is_live
from otel.reader import writers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from otel.chain import Record

    type Numbered = tuple[str, int, bytes]  # file, line number from 1, line with its line feed


class Kind(StrEnum):
    """What is wrong at a place."""

    MALFORMED = "malformed"  # not a record at all
    EDITED = "edited"  # content and hash differ
    FOREIGN = "foreign"  # another writer's record
    GAP = "gap"  # records are missing before this one
    DUPLICATE = "duplicate"  # the record before it once more
    ORDER = "order"  # a record that belongs further up
    UNLINKED = "unlinked"  # numbered right, but follows another record than the one before it
    TORN = "torn"  # half a line: the writer was killed or its disk was full
    UNREADABLE = "unreadable"  # a file that can't be opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and where."""

    kind: Kind
    file: str
    line: int
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of one writer's chain."""

    writer: str
    records: int
    live: bool
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether every record is where and what it was when it was written."""
        return not self.findings


def verify(directory: Path) -> list[Verdict]:
    """Check every writer of an audit directory. Raises `JournalBroken` when there is none."""
    return [_verify_writer(folder) for folder in writers(directory)]


def check(writer: str, lines: Iterable[Numbered], *, live: bool) -> Verdict:
    """Check one chain. A live writer's last line may be half written: that is not a finding."""
    walk = _Walk(writer=writer, live=live, head=genesis(writer))
    for file, number, line in lines:
        walk.step(file, number, line)
    return walk.verdict()


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Goes along a chain. After a finding it goes on from there, so one fault is told once."""

    writer: str
    live: bool
    head: bytes | None  # None after a line that could not be read: any link is taken then
    seq: int = 0
    unread: int = 0  # lines since then that may have been records
    records: int = 0
    torn: Finding | None = None
    findings: list[Finding] = field(default_factory=list)

    def step(self, file: str, number: int, line: bytes) -> None:
        if self.torn is not None:  # half a line, and something after it: in no case a live write
            self.findings.append(self.torn)
            self.torn = None
            self._pass_over()
        if not line.endswith(b"\n"):
            self.torn = _finding(Kind.TORN, file, number, None, f"{len(line)} bytes of a line")
            return
        try:
            record = parse(line[:-1])
        except MalformedRecord as error:
            self._note(Kind.MALFORMED, file, number, None, str(error))
            self._pass_over()
            return
        self.records += 1
        self._judge(file, number, record)

    def verdict(self) -> Verdict:
        if self.torn is not None and not self.live:
            self.findings.append(self.torn)
        return Verdict(
            writer=self.writer,
            records=self.records,
            live=self.live,
            findings=tuple(self.findings),
        )

    def _judge(self, file: str, number: int, record: Record) -> None:
        wrong, moves = self._compare(record)
        if wrong is not None:
            self._note(wrong[0], file, number, record.seq, wrong[1])
        if record.digest != record.expected_digest:
            self._note(Kind.EDITED, file, number, record.seq, "content and hash differ")
        if moves:
            self.seq, self.head, self.unread = record.seq, record.digest, 0

    def _compare(self, record: Record) -> tuple[tuple[Kind, str] | None, bool]:
        """What is wrong with the record's place, and whether to go on from this record."""
        if record.writer != self.writer:
            return (Kind.FOREIGN, f"written by {record.writer}"), False
        if (missing := record.seq - self.seq - 1 - self.unread) > 0:
            return (Kind.GAP, f"{missing} records are missing before this one"), True
        if record.seq <= self.seq:
            return self._repeated(record), False
        if self.head is not None and record.previous != self.head:
            return (Kind.UNLINKED, "does not follow the record before it"), True
        return None, True

    def _repeated(self, record: Record) -> tuple[Kind, str]:
        if record.digest == self.head:
            return Kind.DUPLICATE, "the record before it once more"
        return Kind.ORDER, f"comes after record {self.seq}"

    def _pass_over(self) -> None:
        self.unread, self.head = self.unread + 1, None

    def _note(self, kind: Kind, file: str, line: int, seq: int | None, message: str) -> None:
        self.findings.append(_finding(kind, file, line, seq, message))


def _finding(kind: Kind, file: str, line: int, seq: int | None, message: str) -> Finding:
    return Finding(kind=kind, file=file, line=line, seq=seq, message=message)


def _verify_writer(folder: Path) -> Verdict:
    verdict = _read_and_check(folder, live=is_live(folder))
    if not verdict.holds and not verdict.live and is_live(folder):
        # A process took this writer while it was read: the half line was being written.
        return _read_and_check(folder, live=True)
    return verdict


def _read_and_check(folder: Path, *, live: bool) -> Verdict:
    try:
        return check(folder.name, _lines(folder), live=live)
    except OSError as error:
        where, what = str(error.filename or folder), error.strerror or str(error)
    except JournalBroken as error:
        where, what = str(folder), str(error)
    unreadable = _finding(Kind.UNREADABLE, where, 0, None, what)
    return Verdict(writer=folder.name, records=0, live=live, findings=(unreadable,))


def _lines(folder: Path) -> Iterator[Numbered]:
    for number in folders.segment_numbers(folder):
        path = folder / folders.segment_name(number)
        with open(folders.open_for_reading(path), "rb") as file:  # noqa: PTH123  # a descriptor
            line_number = 0
            while line := file.readline(MAX_LINE):
                line_number += 1
                yield str(path), line_number, line
