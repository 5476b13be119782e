"""What a checkpoint of a chain says, as the bytes that are signed.

Pure: who holds the key is in `keys`, who makes checkpoints in `evidence`, who checks them in
`verification`. The signed bytes are lines of text, so that anybody can make them from an exported
record and check them with a tool of their own (docs/audit.md): each `name=value` with a line feed,
in the order of `Mark.message`, `-` for what there is none of. No value can hold a line feed.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from otel import attributes as a
from otel.chain import WRITER_ID
from otel.errors import MalformedRecord
from otel.events import AuditCheckpoint
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel.attributes import Value

# Ed25519, RFC 8032.
SIGNATURE_BYTES = 64

_PURPOSE = "netproxy audit checkpoint v1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_SEGMENT = re.compile(r"[0-9]{8}\.jsonl")
_WORD = re.compile(r"[a-z]{1,32}")


def is_key_id(value: object) -> bool:
    """Whether it is the name of a key."""
    return isinstance(value, str) and _KEY_ID.fullmatch(value) is not None


def is_digest(value: object) -> bool:
    """Whether it is a SHA-256 in hexadecimal."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What one checkpoint says: so far had this writer's chain come."""

    writer: str
    number: int  # from 1, without a gap
    head_seq: int
    head_hash: str
    records: int  # since the checkpoint before
    segment: str  # the file that the checkpoint is in
    cause: str
    time: str  # of its record
    key_id: str
    sealed_segment: str | None = None
    sealed_digest: str | None = None

    def message(self) -> bytes:
        """The canonical bytes that are signed."""
        values = (
            ("chain", self.writer),
            ("number", self.number),
            ("head_seq", self.head_seq),
            ("head_hash", self.head_hash),
            ("records", self.records),
            ("segment", self.segment),
            ("cause", self.cause),
            ("time", self.time),
            ("key_id", self.key_id),
            ("sealed_segment", self.sealed_segment or "-"),
            ("sealed_digest", self.sealed_digest or "-"),
        )
        return "".join((f"{_PURPOSE}\n", *(f"{name}={value}\n" for name, value in values))).encode()

    def event(self, signature: bytes) -> AuditCheckpoint:
        """The record that carries the mark."""
        return AuditCheckpoint(
            writer=self.writer,
            checkpoint=self.number,
            head_seq=self.head_seq,
            head_hash=self.head_hash,
            records=self.records,
            segment=self.segment,
            cause=self.cause,
            key_id=self.key_id,
            signature=base64.b64encode(signature).decode("ascii"),
            sealed_segment=self.sealed_segment,
            sealed_digest=self.sealed_digest,
        )


def read_mark(attributes: Mapping[str, Value], time: str) -> tuple[Mark, bytes]:
    """Read the mark and its signature back. Raises `MalformedRecord` for anything else."""
    numbers = [_number(attributes, name) for name in _NUMBERS]
    texts = [_text(attributes, name, form) for name, form in _TEXTS]
    sealed = [
        None if attributes.get(name) is None else _text(attributes, name, form)
        for name, form in _SEALED
    ]
    writer, head_hash, segment, cause, key = texts
    number, head_seq, records = numbers
    mark = Mark(
        writer=writer,
        number=number,
        head_seq=head_seq,
        head_hash=head_hash,
        records=records,
        segment=segment,
        cause=cause,
        time=time,
        key_id=key,
        sealed_segment=sealed[0],
        sealed_digest=sealed[1],
    )
    return mark, _signature(attributes.get(a.CHECKPOINT_SIGNATURE))


_NUMBERS = (a.CHECKPOINT_NUMBER, a.CHECKPOINT_SEQ, a.CHECKPOINT_RECORDS)
_TEXTS = (
    (a.AUDIT_CHAIN, WRITER_ID),
    (a.CHECKPOINT_HASH, _DIGEST),
    (a.SEGMENT_NAME, _SEGMENT),
    (a.CHECKPOINT_CAUSE, _WORD),
    (a.CHECKPOINT_KEY, _KEY_ID),
)
_SEALED = ((a.SEALED_NAME, _SEGMENT), (a.SEALED_DIGEST, _DIGEST))


def _number(attributes: Mapping[str, Value], name: str) -> int:
    value = attributes.get(name)
    if type(value) is not int or value < 0:
        raise MalformedRecord(f"a checkpoint without {name}")
    return value


def _text(attributes: Mapping[str, Value], name: str, form: re.Pattern[str]) -> str:
    value = attributes.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise MalformedRecord(f"a checkpoint without {name}")
    return value


def _signature(value: Value) -> bytes:
    try:
        signature = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as error:
        raise MalformedRecord("a checkpoint whose signature is not base64") from error
    if len(signature) != SIGNATURE_BYTES:
        raise MalformedRecord("a checkpoint without a signature")
    return signature
