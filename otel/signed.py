"""Follows the checkpoints of a chain while it is read: who vouches for what. Pure.

Checked are the signature, the key, that the numbers have no gap, that a checkpoint stands where it
was signed for (chain and record), and the hash of each file that was finished. Not the file that it
stands in: after a failed sync records go to the next one, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import attributes as a
from otel.checkpoints import read_mark
from otel.errors import MalformedRecord
from otel.events import AuditCheckpoint, GatewayStarted
from otel.keeping import EVERY_RECORDS
from otel.values import dataclass, field
from otel.verdicts import Kind, Signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel.chain import Record
    from otel.checkpoints import Mark

    type Wrong = tuple[Kind, str]

# A checkpoint is written with the batch that makes it due, and a disk may be full for a while.
_LEFT_UNSIGNED = 5 * EVERY_RECORDS
# So many missing checkpoints are named one by one.
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The public keys at hand, and which of them count."""

    public: Mapping[str, bytes]
    is_signed: Callable[[bytes, bytes, bytes], bool]  # by (public key, signature, message)
    trusted: frozenset[str] | None = None  # None: any that is at hand
    must_sign: bool = False  # a chain that none of them signed is not well


@dataclass(slots=True, kw_only=True)
class Checkpoints:
    """One chain's. `digests` has the SHA-256 of each file that was read to its end."""

    writer: str
    keyring: Keyring
    digests: Mapping[str, str]
    number: int | None = 0  # of the last one; None: the beginning was removed
    seq: int | None = 0  # of the last one, as long as none is missing in between
    good: int = 0
    up_to: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    _declared: bool = False  # a process said that it signs
    _since: int = 0  # the record from which on nobody signed

    def begin_later(self, seq: int) -> None:
        """The chain begins with this record: those before it were removed."""
        self.number = self.seq = None
        self._since = seq - 1

    def check(self, record: Record) -> Iterator[Wrong]:
        """What is wrong with the record, as far as it is a checkpoint or misses one."""
        if record.name == AuditCheckpoint.name:
            yield from self._check(record)
            self._since = record.seq
        elif record.name == GatewayStarted.name:
            self._declared = record.attributes.get(a.CHECKPOINT_KEY) is not None
        if self._declared and record.seq - self._since > _LEFT_UNSIGNED:
            yield Kind.UNSIGNED, f"no checkpoint since record {self._since}"
            self._since = record.seq

    def signed(self, last_seq: int) -> Signed:
        """The sum of it."""
        return Signed(
            checkpoints=self.good,
            up_to=self.up_to,
            records_behind=max(0, last_seq - self.up_to),
            keys=tuple(self.keys),
        )

    def _check(self, record: Record) -> Iterator[Wrong]:
        try:
            mark, signature = read_mark(record.attributes, record.timestamp)
        except MalformedRecord as error:
            yield Kind.SIGNATURE, str(error)
            return
        wrong = [
            *self._numbered(mark, record),
            *self._placed(mark, record),
            *self._vouched(mark, signature),
            *self._sealed(mark),
        ]
        yield from wrong
        self.number, self.seq = mark.number, record.seq
        if not wrong:
            self.good, self.up_to = self.good + 1, record.seq

    def _numbered(self, mark: Mark, record: Record) -> Iterator[Wrong]:
        if self.number is None:
            return
        missing = mark.number - self.number - 1
        if missing > 0:
            yield Kind.CHECKPOINT_MISSING, _missing(self.number + 1, mark.number - 1)
        elif missing < 0:
            yield Kind.ORDER, f"checkpoint {mark.number} comes after checkpoint {self.number}"
        elif self.seq is not None and mark.records != record.seq - 1 - self.seq:
            yield Kind.SIGNATURE, f"signs {mark.records} records since checkpoint {self.number}"

    def _placed(self, mark: Mark, record: Record) -> Iterator[Wrong]:
        if mark.writer != self.writer:
            yield Kind.SIGNATURE, f"signed for chain {mark.writer}"
        if (mark.head_seq, mark.head_hash) != (record.seq - 1, record.previous.hex()):
            yield Kind.SIGNATURE, f"signs another record {mark.head_seq} than the one before it"

    def _vouched(self, mark: Mark, signature: bytes) -> Iterator[Wrong]:
        ring, is_new = self.keyring, mark.key_id not in self.keys
        self.keys[mark.key_id] = None
        public = ring.public.get(mark.key_id)
        if ring.trusted is not None and mark.key_id not in ring.trusted:
            if is_new:
                yield Kind.KEY, f"signed by key {mark.key_id}, which is not trusted"
        elif public is None:
            if is_new:
                yield Kind.KEY, f"signed by key {mark.key_id}, which is not at hand"
        elif not ring.is_signed(public, signature, mark.message()):
            yield Kind.SIGNATURE, f"key {mark.key_id} did not sign this"

    def _sealed(self, mark: Mark) -> Iterator[Wrong]:
        name = mark.sealed_segment
        if name is not None and self.digests.get(name, mark.sealed_digest) != mark.sealed_digest:
            yield Kind.SEALED, f"file {name} is not what was signed when it was finished"


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"checkpoint {first} is missing before this one"
    if last - first < _NAMED:
        return f"checkpoints {', '.join(map(str, range(first, last + 1)))} are missing before this"
    return f"checkpoints {first} to {last} are missing before this one"
