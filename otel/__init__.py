"""Audit records: events, the journal that keeps them, and their export.

Events themselves are in `otel.events`. What reads journals is imported when it is first asked for:
a run only writes one, and must start fast. The exporter is a process of its own, `otel.ship`, and
is never imported here: it would bring an HTTP client into every start of the command.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from otel.attributes import Attributes, Value
from otel.clock import Clock
from otel.errors import (
    AuditError,
    AuditUnavailable,
    ExportRefused,
    JournalBroken,
    MalformedRecord,
)
from otel.ids import new_id
from otel.journal import Journal
from otel.modes import AuditMode
from otel.redact import visible
from otel.trail import AuditTrail

if TYPE_CHECKING:
    from otel.chain import Record
    from otel.config import check_endpoint, logs_endpoint, otlp_settings, parse_headers
    from otel.cursor import exported, passed_by_all
    from otel.evidence import Evidence, EvidenceSettings
    from otel.export_notices import record_notices
    from otel.export_status import SinkStatus, statuses
    from otel.reader import Follower, Span, flat, flat_line, read
    from otel.schema import catalogue_schema, event_schema
    from otel.sinks import (
        FileSettings,
        OtlpSettings,
        SinkSettings,
        required_keys,
        ship_command,
        without_doubles,
    )
    from otel.verification import Finding, Kind, Verdict, verify

_LATER = {
    "FileSettings": "sinks",
    "Evidence": "evidence",
    "EvidenceSettings": "evidence",
    "Finding": "verification",
    "Follower": "reader",
    "Kind": "verification",
    "OtlpSettings": "sinks",
    "Record": "chain",
    "Span": "reader",
    "SinkSettings": "sinks",
    "SinkStatus": "export_status",
    "Verdict": "verification",
    "catalogue_schema": "schema",
    "check_endpoint": "config",
    "event_schema": "schema",
    "exported": "cursor",
    "flat": "reader",
    "flat_line": "reader",
    "logs_endpoint": "config",
    "otlp_settings": "config",
    "parse_headers": "config",
    "passed_by_all": "cursor",
    "read": "reader",
    "record_notices": "export_notices",
    "required_keys": "sinks",
    "ship_command": "sinks",
    "statuses": "export_status",
    "verify": "verification",
    "without_doubles": "sinks",
}

__all__ = [
    "Attributes",
    "AuditError",
    "AuditMode",
    "AuditTrail",
    "AuditUnavailable",
    "Clock",
    "Evidence",
    "EvidenceSettings",
    "ExportRefused",
    "FileSettings",
    "Finding",
    "Follower",
    "Journal",
    "JournalBroken",
    "Kind",
    "MalformedRecord",
    "OtlpSettings",
    "Record",
    "SinkSettings",
    "SinkStatus",
    "Span",
    "Value",
    "Verdict",
    "catalogue_schema",
    "check_endpoint",
    "event_schema",
    "exported",
    "flat",
    "flat_line",
    "logs_endpoint",
    "new_id",
    "otlp_settings",
    "parse_headers",
    "passed_by_all",
    "read",
    "record_notices",
    "required_keys",
    "ship_command",
    "statuses",
    "verify",
    "visible",
    "without_doubles",
]


def __getattr__(name: str) -> object:
    """Import what `_LATER` names (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"otel.{_LATER[name]}"), name)
    globals()[name] = found
    return found
