"""What is said of a chain: two verdicts, and every thing that is wrong, each with its place.

Integrity: is every record that is here where and what it was when it was written? Completeness: are
all records here that were written? The first can be seen in the chain itself; the second only by
comparing with something that is kept elsewhere, an anchor. Pure.
"""

from __future__ import annotations

from enum import StrEnum

from otel.values import dataclass


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
    CHECKPOINT_MISSING = "checkpoint_missing"  # numbers are left out
    SIGNATURE = "signature"  # not signed by that key, or for another place in the chain
    KEY = "key"  # signed by a key that is not known, or not trusted
    UNSIGNED = "unsigned"  # far more records without a checkpoint than the writer leaves
    SEALED = "sealed"  # a finished file that differs from what was signed
    REWRITTEN = "rewritten"  # another record than the anchor knows


class State(StrEnum):
    """How complete a chain is, as far as that can be known."""

    COMPLETE = "complete"  # up to the anchor
    UNKNOWN = "unknown"  # there is no anchor to compare with
    GAPS = "gaps"  # the trail says itself that records are missing
    TRUNCATED = "truncated"  # the anchor knows of later records
    MISSING = "missing"  # the whole chain is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and where."""

    kind: Kind
    file: str
    line: int
    seq: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Which part of a chain somebody vouches for."""

    checkpoints: int  # whose signature holds
    up_to: int  # the last record that one of them covers; 0: nobody signed
    records_behind: int  # that nobody signed yet: whoever can write the file can rewrite them
    keys: tuple[str, ...]  # in the order of first use


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What is known of records that are not here."""

    state: State
    anchored: int | None = None  # the last record that an anchor knows
    behind: int = 0  # records newer than that
    missing: int = 0  # at the end, at least
    gaps: int = 0  # places where the trail admits a loss
    lost: int | None = 0  # so many in all of them; None: nobody knows
    removed: int = 0  # at the beginning, by retention, and on record


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of one writer's chain."""

    writer: str
    records: int
    live: bool
    findings: tuple[Finding, ...]
    signed: Signed
    completeness: Completeness

    @property
    def holds(self) -> bool:
        """Integrity: whether every record is where and what it was when it was written."""
        return not self.findings

    @property
    def is_well(self) -> bool:
        """Both verdicts: nothing was found. What can't be known without an anchor is well."""
        return self.holds and self.completeness.state in {State.COMPLETE, State.UNKNOWN}
