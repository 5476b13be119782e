"""Does the chain hold, and is all of it there? Reads journals for that, and never writes.

Integrity needs nothing but the journal: every edit, cut in the middle, swap, duplicate and foreign
line is found, and what was signed can't be written anew without the key. What a chain alone can't
show is its own end: records cut off there (at a line boundary), a writer's folder that is gone, a
whole chain written anew with another key. For these an `Anchor` is compared: exported records or
checkpoints, kept elsewhere.

`check` is pure; `verify` at the end reads the files for it, line by line.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from otel import attributes as a
from otel import folders, heads, keys
from otel.anchors import Anchor, Anchors
from otel.chain import MAX_LINE, genesis, parse
from otel.errors import AnchorRefused, JournalBroken, MalformedRecord
from otel.events import AuditGap, SegmentRemoved
from otel.keys import key_id
from otel.lock import is_live
from otel.reader import writers
from otel.signed import Checkpoints, Keyring
from otel.values import dataclass, field, replace
from otel.verdicts import Completeness, Finding, Kind, Signed, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from otel.chain import Record

    type Numbered = tuple[str, int, bytes]  # file, line number from 1, line with its line feed

_NOBODY = Keyring(public={}, is_signed=keys.is_signed)
_NOTHING = Anchor()


def verify(
    directory: Path, *, anchors: Anchors | None = None, trusted: Iterable[bytes] = ()
) -> list[Verdict]:
    """Check every writer of an audit directory. Raises `JournalBroken` when there is none.

    `trusted` are the public keys that may have signed; without any, those that signed the anchors;
    without anchors, those beside the journals, which prove no more than that the journals fit them.
    """
    # First what is remembered, then the chains, which may grow meanwhile.
    remembered = _remembered(directory)
    known = anchors or Anchors()
    ring = _keyring(directory, known, tuple(trusted))
    told_of = known.chains.keys() | remembered.anchors.keys() | remembered.hidden.keys()
    try:
        found = writers(directory)
    except JournalBroken as broken:
        # Chains that nobody lets us see are not gone.
        if not told_of or not isinstance(broken.__cause__, FileNotFoundError | None):
            raise
        found = []
    compared = _Known(anchors=known.chains, heads=remembered, ring=ring)
    verdicts = [_verify_writer(folder, compared) for folder in found]
    gone = sorted(told_of - {folder.name for folder in found})
    return verdicts + [_missing(writer, compared) for writer in gone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What one chain is compared with.

    `remembered` is an anchor that was kept beside the journal: good to find a cut, not to say that
    there is none. `digests` are those of the files that were read to their end.
    """

    anchor: Anchor = field(default_factory=Anchor)
    remembered: Anchor = field(default_factory=Anchor)
    keyring: Keyring = _NOBODY
    digests: Mapping[str, str] = field(default_factory=dict)


def check(
    writer: str, lines: Iterable[Numbered], *, live: bool, against: Against | None = None
) -> Verdict:
    """Check one chain. A live writer's last line may be half written: that is not a finding."""
    against = against or Against()
    checkpoints = Checkpoints(writer=writer, keyring=against.keyring, digests=against.digests)
    walk = _Walk(
        writer=writer,
        live=live,
        head=genesis(writer),
        anchor=against.anchor,
        remembered=against.remembered,
        checkpoints=checkpoints,
    )
    for file, number, line in lines:
        walk.step(file, number, line)
    return walk.verdict()


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Goes along a chain. After a finding it goes on from there, so one fault is told once."""

    writer: str
    live: bool
    head: bytes | None  # None after a line that could not be read: any link is taken then
    anchor: Anchor
    remembered: Anchor
    checkpoints: Checkpoints
    seq: int = 0
    unread: int = 0  # lines since then that may have been records
    records: int = 0
    start: _Start | None = None  # where the first record is not the first that was written
    removals: list[tuple[Record, int]] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
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
        removed = 0
        if self.start is not None:
            if self._is_removed(self.start):
                removed = self.start.record.seq - 1
            else:
                self.findings.insert(0, self.start.finding)
        signed = self.checkpoints.signed(self.seq)
        if self.checkpoints.keyring.must_sign and self.records and not signed.checkpoints:
            self._note(Kind.UNSIGNED, self.writer, 0, None, "signed by nobody who is trusted")
        return Verdict(
            writer=self.writer,
            records=self.records,
            live=self.live,
            findings=tuple(self.findings),
            signed=signed,
            completeness=self._completeness(removed),
        )

    def _judge(self, file: str, number: int, record: Record) -> None:
        wrong, moves = self._compare(file, number, record)
        if wrong is not None:
            self._note(wrong[0], file, number, record.seq, wrong[1])
        if record.digest != record.expected_digest:
            self._note(Kind.EDITED, file, number, record.seq, "content and hash differ")
        if not moves:
            return
        self.seq, self.head, self.unread = record.seq, record.digest, 0
        for kind, message in self.checkpoints.check(record):
            self._note(kind, file, number, record.seq, message)
        for anchor in (self.anchor, self.remembered):
            if not anchor.agrees(record.seq, record.digest.hex()):
                self._note(Kind.REWRITTEN, file, number, record.seq, "not the record of the anchor")
        if record.name == SegmentRemoved.name:
            self.removals.append((record, record.seq))
        elif record.name == AuditGap.name:
            lost = record.attributes.get(a.GAP_LOST)
            self.gaps.append(lost if type(lost) is int else -1)

    def _compare(
        self, file: str, number: int, record: Record
    ) -> tuple[tuple[Kind, str] | None, bool]:
        """What is wrong with the record's place, and whether to go on from this record."""
        if record.writer != self.writer:
            return (Kind.FOREIGN, f"written by {record.writer}"), False
        if (missing := record.seq - self.seq - 1 - self.unread) > 0:
            wrong = Kind.GAP, f"{missing} records are missing before this one"
            if self.seq or self.unread:
                return wrong, True
            # Taken for the beginning, until it shows that nothing accounts for what was before it.
            self.start = _Start(record, _finding(wrong[0], file, number, record.seq, wrong[1]))
            self.checkpoints.begin_later(record.seq)
            return None, True
        if record.seq <= self.seq:
            return self._repeated(record), False
        if self.head is not None and record.previous != self.head:
            return (Kind.UNLINKED, "does not follow the record before it"), True
        return None, True

    def _is_removed(self, start: _Start) -> bool:
        """Whether a record that is signed says that all before the first one was taken away.

        The newest is enough: each segment was removed only while the one before was accounted for.
        """
        wanted = start.record.seq - 1, start.record.previous.hex()
        return any(
            seq <= self.checkpoints.up_to
            and wanted == tuple(record.attributes.get(name) for name in _REMOVED)
            for record, seq in self.removals
        )

    def _repeated(self, record: Record) -> tuple[Kind, str]:
        if record.digest == self.head:
            return Kind.DUPLICATE, "the record before it once more"
        return Kind.ORDER, f"comes after record {self.seq}"

    def _completeness(self, removed: int) -> Completeness:
        missing = max(self.anchor.reaches, self.remembered.reaches) - self.seq
        if missing > 0:
            state = State.TRUNCATED
        elif self.gaps:
            state = State.GAPS
        else:
            state = State.COMPLETE if self.anchor.reaches else State.UNKNOWN
        return Completeness(
            state=state,
            anchored=self.anchor.reaches or None,
            behind=max(0, self.seq - self.anchor.reaches) if self.anchor.reaches else 0,
            missing=max(0, missing),
            gaps=len(self.gaps),
            lost=None if any(lost < 0 for lost in self.gaps) else sum(self.gaps),
            removed=removed,
        )

    def _pass_over(self) -> None:
        self.unread, self.head = self.unread + 1, None

    def _note(self, kind: Kind, file: str, line: int, seq: int | None, message: str) -> None:
        self.findings.append(_finding(kind, file, line, seq, message))


class _Start(NamedTuple):
    """The first record of a chain whose beginning is not here, and what that is if it is wrong."""

    record: Record
    finding: Finding


_REMOVED = (a.SEGMENT_LAST_SEQ, a.SEGMENT_LAST_HASH)


def _finding(kind: Kind, file: str, line: int, seq: int | None, message: str) -> Finding:
    return Finding(kind=kind, file=file, line=line, seq=seq, message=message)


class _Heads(NamedTuple):
    """What the last remembered checkpoint of each writer says, as far as that can be read."""

    anchors: Mapping[str, Anchor]
    hidden: Mapping[str, Finding]  # heads that are there, and can't be read
    folder: Finding | None = None  # why no head at all can be read

    def findings(self, writer: str) -> tuple[Finding, ...]:
        """What keeps this writer from being compared: a cut at its end would not show."""
        finding = self.hidden.get(writer, self.folder)
        return () if finding is None else (finding,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What every chain is compared with."""

    anchors: Mapping[str, Anchor]
    heads: _Heads
    ring: Keyring


def _verify_writer(folder: Path, known: _Known) -> Verdict:
    verdict = _read_and_check(folder, known, live=is_live(folder))
    if not verdict.holds and not verdict.live and is_live(folder):
        # A process took this writer while it was read: the half line was being written.
        verdict = _read_and_check(folder, known, live=True)
    return replace(verdict, findings=verdict.findings + known.heads.findings(folder.name))


def _read_and_check(folder: Path, known: _Known, *, live: bool) -> Verdict:
    digests: dict[str, str] = {}
    try:
        against = Against(
            anchor=known.anchors.get(folder.name, _NOTHING),
            remembered=known.heads.anchors.get(folder.name, _NOTHING),
            keyring=known.ring,
            digests=digests,
        )
        return check(folder.name, _lines(folder, digests), live=live, against=against)
    except (OSError, JournalBroken) as error:
        unreadable = _unreadable(folder, error)
    return _without_records(folder.name, State.UNKNOWN, 0, (unreadable,), live=live)


def _unreadable(path: Path, error: OSError | JournalBroken) -> Finding:
    where, what = str(path), str(error)
    if isinstance(error, OSError):
        where, what = str(error.filename or path), error.strerror or what
    return _finding(Kind.UNREADABLE, where, 0, None, what)


def _missing(writer: str, known: _Known) -> Verdict:
    anchored = known.anchors.get(writer, _NOTHING).reaches
    reaches = max(anchored, known.heads.anchors.get(writer, _NOTHING).reaches)
    findings = known.heads.findings(writer)
    return _without_records(writer, State.MISSING, reaches, findings, live=False)


def _without_records(
    writer: str, state: State, missing: int, findings: tuple[Finding, ...], *, live: bool
) -> Verdict:
    return Verdict(
        writer=writer,
        records=0,
        live=live,
        findings=findings,
        signed=Signed(checkpoints=0, up_to=0, records_behind=0, keys=()),
        completeness=Completeness(state=state, missing=missing),
    )


def _lines(folder: Path, digests: dict[str, str]) -> Iterator[Numbered]:
    """Every line of every segment; into `digests` goes the hash of each that is read to its end."""
    for number in folders.segment_numbers(folder):
        path = folder / folders.segment_name(number)
        digest = hashlib.sha256()
        with open(folders.open_for_reading(path), "rb") as file:  # noqa: PTH123  # a descriptor
            line_number = 0
            while line := file.readline(MAX_LINE):
                line_number += 1
                digest.update(line)
                yield str(path), line_number, line
        digests[path.name] = digest.hexdigest()


def _remembered(directory: Path) -> _Heads:
    anchors: dict[str, Anchor] = {}
    hidden: dict[str, Finding] = {}
    folder = directory / heads.FOLDER
    try:
        names = heads.remembered(directory)
    except OSError as error:
        return _Heads(anchors, hidden, _unreadable(folder, error))
    for writer in names:
        try:
            head = heads.read(directory, writer)
        except (OSError, JournalBroken) as error:
            hidden[writer] = _unreadable(folder / writer, error)
            continue
        with suppress(MalformedRecord):
            if head is not None and (record := parse(head.line)).writer == writer:
                anchors[writer] = anchor = Anchor()
                anchor.add(record.seq, record.digest.hex(), keep=True)
    return _Heads(anchors, hidden)


def _keyring(directory: Path, anchors: Anchors, trusted: tuple[bytes, ...]) -> Keyring:
    given = {key_id(public): public for public in trusted}
    public = {**keys.public_keys(directory), **given}
    for chain in anchors.chains.values():
        for mark, signature in chain.marks:
            at_hand = public.get(mark.key_id)
            if at_hand is not None and not keys.is_signed(at_hand, signature, mark.message()):
                raise AnchorRefused(
                    f"the anchor's checkpoint {mark.number} of {mark.writer} is not signed by "
                    f"key {mark.key_id}"
                )
    return Keyring(
        public=public,
        is_signed=keys.is_signed,
        trusted=frozenset(given) or frozenset(anchors.keys) or None,
        must_sign=bool(given),
    )
