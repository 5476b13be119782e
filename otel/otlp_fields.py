"""What an OTLP log record says of a journal record, whichever way it is encoded. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from otel import attributes as a

if TYPE_CHECKING:
    from otel.attributes import Value
    from otel.chain import Record

# The semantic conventions that our attribute names come from.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
SCOPE = "netproxy.audit"
SEVERITY_TEXT = {9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL"}

_INT64 = range(-(2**63), 2**63)
# In OTLP they have fields of their own, in which zeros alone are invalid.
_TRACE = re.compile("(?!0{32})[0-9a-f]{32}")
_SPAN = re.compile("(?!0{16})[0-9a-f]{16}")


class LogFields(NamedTuple):
    """The parts of one log record. Null attributes are left out, the others are sorted."""

    attributes: list[tuple[str, Value]]
    trace_id: bytes  # empty: none
    span_id: bytes


def sender(*, version: str, writer: str, host: str) -> dict[str, str]:
    """Who sends, as resource attributes: one service instance per journal writer."""
    return {
        "host.name": host,
        a.AUDIT_CHAIN: writer,
        "service.instance.id": writer,
        "service.name": "netproxy",
        a.SERVICE_VERSION: version,
    }


def log_fields(record: Record) -> LogFields:
    """Take the record apart. Numbers that OTLP has no room for become texts."""
    values: dict[str, Value] = {
        **record.attributes,
        a.EVENT_TIMESTAMP: record.timestamp,
        a.RECORD_UID: record.uid,
        a.AUDIT_CHAIN: record.writer,
        a.AUDIT_SEQ: record.seq,
        a.AUDIT_HASH: record.digest.hex(),
        a.AUDIT_PREVIOUS: record.previous.hex(),
    }
    trace_id = _taken(values, a.TRACE_ID, _TRACE)
    span_id = _taken(values, a.SPAN_ID, _SPAN)
    kept = [(key, _fitting(value)) for key, value in values.items() if value is not None]
    return LogFields(sorted(kept), trace_id, span_id)


def _taken(values: dict[str, Value], key: str, pattern: re.Pattern[str]) -> bytes:
    """Take an id out of the attributes; what is none stays there."""
    value = values.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return b""
    del values[key]
    return bytes.fromhex(value)


def _fitting(value: Value) -> Value:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number and value not in _INT64 else value
