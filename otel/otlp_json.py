"""Journal records as OTLP/JSON, a line each: what the OpenTelemetry file exporter writes. Pure.

The protobuf JSON mapping with OTLP's exceptions: ids in hexadecimal, enumerations as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel.chain import canonical, nanoseconds
from otel.otlp_fields import SCHEMA_URL, SCOPE, SEVERITY_TEXT, log_fields, sender

if TYPE_CHECKING:
    from otel.attributes import Value
    from otel.chain import Record


def line(record: Record, *, version: str, host: str) -> str:
    """Spell one record as a whole document: its resource, its scope, and itself."""
    resource = sender(version=version, writer=record.writer, host=host)
    scope = {
        "scope": {"name": SCOPE, "version": version},
        "schemaUrl": SCHEMA_URL,
        "logRecords": [_log_record(record)],
    }
    logs = {
        "resource": {"attributes": [_pair(*each) for each in resource.items()]},
        "scopeLogs": [scope],
        "schemaUrl": SCHEMA_URL,
    }
    return canonical({"resourceLogs": [logs]})


def _log_record(record: Record) -> dict[str, Any]:
    fields, instant = log_fields(record), str(nanoseconds(record.timestamp))
    ids = {
        key: value.hex()
        for key, value in (("traceId", fields.trace_id), ("spanId", fields.span_id))
        if value
    }
    return {
        **ids,
        "timeUnixNano": instant,
        "observedTimeUnixNano": instant,
        "severityNumber": record.severity,
        "severityText": SEVERITY_TEXT.get(record.severity, ""),
        "eventName": record.name,
        "attributes": [_pair(key, value) for key, value in fields.attributes],
    }


def _pair(key: str, value: Value) -> dict[str, Any]:
    return {"key": key, "value": _any_value(value)}


def _any_value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}  # 64 bits are more than a JSON number holds
        case tuple():
            return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
        case _:
            return {"stringValue": str(value)}
