"""Audit records: events, the journal that keeps them, and their export.

Events themselves are in `otel.events`. All else is imported when it is first asked for: whoever
runs a command waits for it, and some want no more than a class of values. The exporter is a process
of its own, `otel.ship`, and is never imported here: it would bring an HTTP client into every start.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel.anchoring import anchor_lines
    from otel.anchors import Anchors, read_anchors
    from otel.attributes import Attributes, Value
    from otel.chain import Record
    from otel.clock import Clock
    from otel.config import check_endpoint, logs_endpoint, otlp_settings, parse_headers
    from otel.cursor import exported, passed_by_all
    from otel.errors import (
        AnchorRefused,
        AuditError,
        AuditUnavailable,
        ExportRefused,
        JournalBroken,
        KeyUnusable,
        MalformedRecord,
    )
    from otel.evidence import Evidence, EvidenceSettings
    from otel.export_notices import record_notices
    from otel.export_status import SinkStatus, statuses
    from otel.ids import new_id
    from otel.journal import Journal
    from otel.keys import load_public
    from otel.modes import AuditMode
    from otel.reader import Follower, Span, flat, flat_line, read, writers
    from otel.redact import visible
    from otel.schema import catalogue_schema, event_schema
    from otel.sinks import (
        FileSettings,
        OtlpSettings,
        SinkSettings,
        required_keys,
        ship_command,
        without_doubles,
    )
    from otel.trail import AuditTrail
    from otel.verdicts import Finding, Kind, State, Verdict
    from otel.verification import verify

_PLACES = {
    "AnchorRefused": "errors",
    "Anchors": "anchors",
    "Attributes": "attributes",
    "AuditError": "errors",
    "AuditMode": "modes",
    "AuditTrail": "trail",
    "AuditUnavailable": "errors",
    "Clock": "clock",
    "Evidence": "evidence",
    "EvidenceSettings": "evidence",
    "ExportRefused": "errors",
    "FileSettings": "sinks",
    "Finding": "verdicts",
    "Follower": "reader",
    "Journal": "journal",
    "JournalBroken": "errors",
    "KeyUnusable": "errors",
    "Kind": "verdicts",
    "MalformedRecord": "errors",
    "OtlpSettings": "sinks",
    "Record": "chain",
    "SinkSettings": "sinks",
    "SinkStatus": "export_status",
    "Span": "reader",
    "State": "verdicts",
    "Value": "attributes",
    "Verdict": "verdicts",
    "anchor_lines": "anchoring",
    "catalogue_schema": "schema",
    "check_endpoint": "config",
    "event_schema": "schema",
    "exported": "cursor",
    "flat": "reader",
    "flat_line": "reader",
    "load_public": "keys",
    "logs_endpoint": "config",
    "new_id": "ids",
    "otlp_settings": "config",
    "parse_headers": "config",
    "passed_by_all": "cursor",
    "read": "reader",
    "read_anchors": "anchors",
    "record_notices": "export_notices",
    "required_keys": "sinks",
    "ship_command": "sinks",
    "statuses": "export_status",
    "verify": "verification",
    "visible": "redact",
    "without_doubles": "sinks",
    "writers": "reader",
}

__all__ = [
    "AnchorRefused",
    "Anchors",
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
    "KeyUnusable",
    "Kind",
    "MalformedRecord",
    "OtlpSettings",
    "Record",
    "SinkSettings",
    "SinkStatus",
    "Span",
    "State",
    "Value",
    "Verdict",
    "anchor_lines",
    "catalogue_schema",
    "check_endpoint",
    "event_schema",
    "exported",
    "flat",
    "flat_line",
    "load_public",
    "logs_endpoint",
    "new_id",
    "otlp_settings",
    "parse_headers",
    "passed_by_all",
    "read",
    "read_anchors",
    "record_notices",
    "required_keys",
    "ship_command",
    "statuses",
    "verify",
    "visible",
    "without_doubles",
    "writers",
]


def __getattr__(name: str) -> object:
    """Import what `_PLACES` names (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not importlib.import_module: what that imports is not in the list of -X importtime.
    found: object = getattr(__import__(f"otel.{_PLACES[name]}", fromlist=[name]), name)
    globals()[name] = found
    return found
