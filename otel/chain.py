"""One record as bytes: its canonical form, its hash, and the link to the record before it.

A line is one JSON object with sorted keys, no spaces, UTF-8 unescaped, and a final line feed. Only
one spelling of a record exists, so a line that differs by a byte is not that record. `hash` is
SHA-256 over the hash before it (32 bytes) followed by the line without its `hash` member and
without the line feed. The first record follows `genesis(writer)`, so a chain can't be moved to
another writer, and two empty chains differ.

This says what a record is; the writer is in `journal`, the check of whole chains in `verification`.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from otel.errors import MalformedRecord
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel.attributes import Value

VERSION = 1
# More than the worst record that `redact` lets through; a longer line is not ours.
MAX_LINE = 4 * 1024 * 1024
WRITER_ID = re.compile(r"w-[0-9A-HJKMNP-TV-Z]{26}")

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,127}")
_UID = re.compile(r"[0-9A-Za-z-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# What every reader can count with and every export can spell: 64 bits with a sign, OTLP's severity
# numbers, and times from 1970 on. Nothing of ours is beyond; a line that was made up may be.
_LARGEST = 2**63 - 1
_SEVERITIES = range(1, 25)
_FIRST_YEAR = 1970
_KEYS = frozenset(
    ("attrs", "hash", "mono_ns", "name", "prev", "seq", "sev", "ts", "uid", "v", "writer")
)
canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


# An event's name, its severity, and its attributes as `redact` or a form spells them.
type Spelled = tuple[str, int, str]
# What was spelled, with its nanoseconds since 1970 and of the clock that only grows.
type Timed = tuple[Spelled, int, int]


class End(NamedTuple):
    """Where a chain goes on: the number of its newest record, and that one's hash."""

    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line that was read: well-formed, but its hash and place are not yet checked."""

    writer: str
    seq: int
    uid: str
    timestamp: str
    mono_ns: int
    name: str
    severity: int
    attributes: Mapping[str, Value]
    previous: bytes
    digest: bytes
    expected_digest: bytes  # what the content hashes to

    @property
    def order(self) -> tuple[str, str, int]:
        """Where the record stands among those of all writers."""
        return self.timestamp, self.writer, self.seq


def genesis(writer: str) -> bytes:
    """Stand in for the hash before a writer's first record."""
    return hashlib.sha256(f"netproxy journal v{VERSION}\n{writer}".encode()).digest()


def seal(writer: str, uid: str, end: End, records: Iterable[Timed]) -> tuple[str, End]:
    """Make the lines of the next records, which are written as UTF-8, and the chain's new end.

    `uid` and its number make a record's own. A few f-strings and one hash each, and no call that
    can be avoided: this is done three times for each connection.
    """
    seq, previous = end
    spelled_previous = previous.hex()
    sha256 = hashlib.sha256
    lines = []
    for (name, severity, attributes), wall_ns, mono_ns in records:
        seq += 1
        tail = (
            f'"mono_ns":{mono_ns},"name":{_quoted(name)},"prev":"{spelled_previous}",'
            f'"seq":{seq},"sev":{severity},"ts":"{_timestamp(wall_ns // 1_000_000)}",'
            f'"uid":"{uid}-{seq}","v":{VERSION},"writer":"{writer}"}}'
        )
        previous = sha256(previous + f'{{"attrs":{attributes},{tail}'.encode()).digest()
        spelled_previous = previous.hex()
        lines.append(f'{{"attrs":{attributes},"hash":"{spelled_previous}",{tail}\n')
    return "".join(lines), End(seq, previous)


def parse(line: bytes) -> Record:
    """Read one line without its line feed. Raises `MalformedRecord`, whatever the bytes are."""
    try:
        fields = json.loads(line, parse_constant=_refuse, parse_float=_refuse)
        respelled = canonical(fields).encode()
    except (ValueError, RecursionError) as error:  # also bad UTF-8 and lone surrogates
        raise MalformedRecord("not a JSON record") from error
    if respelled != line:
        raise MalformedRecord("not in canonical form")
    if not isinstance(fields, dict) or fields.keys() != _KEYS or not _well_typed(fields):
        raise MalformedRecord("not the members of a record")
    return _record(fields)


def timestamp(wall_ns: int) -> str:
    """Nanoseconds since 1970 as a record has them."""
    return _timestamp(wall_ns // 1_000_000)


def nanoseconds(stamp: str) -> int:
    """Read a record's timestamp back."""
    instant = datetime.fromisoformat(stamp)
    return int(instant.replace(microsecond=0).timestamp()) * 1_000_000_000 + (
        instant.microsecond * 1000
    )


# RFC 3339 in UTC with milliseconds, cut and not rounded. Under load several records share a
# millisecond, and all of a second share the costly part.
@lru_cache(maxsize=2)
def _timestamp(milliseconds: int) -> str:
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=64)
def _quoted(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise AssertionError(f"event name {name!r}: names are fixed text and hold no data")
    return f'"{name}"'


def _refuse(token: str) -> object:
    raise ValueError(token)


def _record(fields: dict[str, object]) -> Record:
    # The casts repeat what `_well_typed` has just proven.
    previous = bytes.fromhex(cast("str", fields["prev"]))
    digest = bytes.fromhex(cast("str", fields.pop("hash")))
    raw = cast("dict[str, object]", fields["attrs"])
    return Record(
        writer=cast("str", fields["writer"]),
        seq=cast("int", fields["seq"]),
        uid=cast("str", fields["uid"]),
        timestamp=cast("str", fields["ts"]),
        mono_ns=cast("int", fields["mono_ns"]),
        name=cast("str", fields["name"]),
        severity=cast("int", fields["sev"]),
        attributes={
            key: cast("Value", tuple(value) if isinstance(value, list) else value)
            for key, value in raw.items()
        },
        previous=previous,
        digest=digest,
        expected_digest=hashlib.sha256(previous + canonical(fields).encode()).digest(),
    )


def _well_typed(fields: dict[str, object]) -> bool:
    attributes = fields["attrs"]
    return (
        fields["v"] == VERSION
        and all(_is_number(fields[key]) for key in ("v", "seq", "sev", "mono_ns"))
        and fields["sev"] in _SEVERITIES
        and all(_matches(_DIGEST, fields[key]) for key in ("prev", "hash"))
        and _is_instant(fields["ts"])
        and _matches(WRITER_ID, fields["writer"])
        and _matches(_UID, fields["uid"])
        and _matches(_NAME, fields["name"])
        and isinstance(attributes, dict)
        and all(_is_value(value) for value in attributes.values())
    )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_instant(value: object) -> bool:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return False
    try:
        return datetime.fromisoformat(value).year >= _FIRST_YEAR
    except ValueError:  # month 13
        return False


def _is_number(value: object) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str | bool) or _is_number(value)
