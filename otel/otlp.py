"""Journal records as OTLP log records, and what a collector's answer means. Pure.

Only the exporter imports this: protobuf costs more than a whole start of the command.
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel.answers import Answer, Delivered, TryLater, Unusable
from otel.chain import nanoseconds
from otel.otlp_fields import SCHEMA_URL, SCOPE, SEVERITY_TEXT, log_fields, sender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel.attributes import Value
    from otel.chain import Record

# OTLP 1.9 section "Failures": these four are worth another try.
_BUSY = frozenset((429, 502, 503, 504))
# The body itself was refused. It will be again, so one of its records has to be left out.
_UNUSABLE = frozenset((400, 413))


def resource(*, version: str, writer: str, host: str) -> Resource:
    """Who sends."""
    named = sender(version=version, writer=writer, host=host)
    return Resource(attributes=[_key_value(key, value) for key, value in named.items()])


def export_request(
    records: Sequence[Record], sender: Resource, version: str
) -> ExportLogsServiceRequest:
    """Build one request with all records, in their order."""
    scope = ScopeLogs(
        scope=InstrumentationScope(name=SCOPE, version=version),
        schema_url=SCHEMA_URL,
        log_records=[log_record(record) for record in records],
    )
    logs = ResourceLogs(resource=sender, scope_logs=[scope], schema_url=SCHEMA_URL)
    return ExportLogsServiceRequest(resource_logs=[logs])


def log_record(record: Record) -> LogRecord:
    """One event: EventName and attributes, no body."""
    fields, instant = log_fields(record), nanoseconds(record.timestamp)
    return LogRecord(
        time_unix_nano=instant,
        observed_time_unix_nano=instant,
        severity_number=record.severity,  # type: ignore[arg-type]  # the stubs want the enum's own type
        severity_text=SEVERITY_TEXT.get(record.severity, ""),
        event_name=record.name,
        attributes=[_key_value(key, value) for key, value in fields.attributes],
        trace_id=fields.trace_id,
        span_id=fields.span_id,
    )


def read_answer(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> Answer:
    """What a whole HTTP answer says about the batch. `headers` have lower-case names."""
    if status in _UNUSABLE:
        return Unusable(why=f"the collector answered {status}")
    if status in _BUSY:
        return TryLater(
            why=f"the collector answered {status}",
            after_seconds=retry_after(headers.get("retry-after"), now=now),
        )
    if not 200 <= status < 300:  # noqa: PLR2004  # the class of success, RFC 9110 section 15.3
        # Not even 304: nothing but a success says that the records are safe. A wrong address or
        # a missing token may be mended while the journal waits.
        return TryLater(why=f"the collector answered {status}")
    return _delivered(headers.get("content-type", ""), body)


def retry_after(value: str | None, *, now: float) -> float | None:
    """RFC 9110 section 10.2.3: seconds or a date; None when there is none that can be read."""
    if value is None:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _delivered(content_type: str, body: bytes) -> Answer:
    if content_type.startswith("application/json"):
        return _delivered_json(body)
    return delivered(body)


def delivered(body: bytes) -> Answer:
    """What an ExportLogsServiceResponse says, as its bytes."""
    try:
        partial = ExportLogsServiceResponse.FromString(body).partial_success
    except DecodeError:
        # A login page or a proxy's greeting, also with status 200: nobody has the records.
        return TryLater(why="the answer is not OTLP")
    return Delivered(rejected=max(0, partial.rejected_log_records), message=partial.error_message)


def _delivered_json(body: bytes) -> Answer:
    """Some collectors answer protobuf with JSON."""
    try:
        partial = json.loads(body or b"{}").get("partialSuccess") or {}
        rejected = int(partial.get("rejectedLogRecords") or 0)
        return Delivered(rejected=max(0, rejected), message=str(partial.get("errorMessage") or ""))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return TryLater(why="the answer is not OTLP")


def _key_value(key: str, value: Value) -> KeyValue:
    return KeyValue(key=key, value=_any_value(value))


def _any_value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case tuple():
            items = [AnyValue(string_value=item) for item in value]
            return AnyValue(array_value=ArrayValue(values=items))
        case _:
            return AnyValue(string_value=str(value))
