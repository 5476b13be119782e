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
    AnchorRefused,
    AuditError,
    AuditUnavailable,
    ExportRefused,
    JournalBroken,
    KeyUnusable,
    MalformedRecord,
)
from otel.ids import new_id
from otel.journal import Journal
from otel.modes import AuditMode
from otel.redact import visible
from otel.trail import AuditTrail

if TYPE_CHECKING:
    from otel.anchoring import anchor_lines
    from otel.anchors import Anchors, read_anchors
    from otel.chain import Record
    from otel.config import check_endpoint, logs_endpoint, otlp_settings, parse_headers
    from otel.cursor import exported, passed_by_all
    from otel.evidence import Evidence, EvidenceSettings
    from otel.export_notices import record_notices
    from otel.export_status import SinkStatus, statuses
    from otel.keys import load_public
    from otel.reader import Follower, Span, flat, flat_line, read, writers
    from otel.schema import catalogue_schema, event_schema
    from otel.sinks import (
        FileSettings,
        OtlpSettings,
        SinkSettings,
        required_keys,
        ship_command,
        without_doubles,
    )
    from otel.verdicts import Finding, Kind, State, Verdict
    from otel.verification import verify

_LATER = {
    "FileSettings": "sinks",
    "Evidence": "evidence",
    "EvidenceSettings": "evidence",
    "Anchors": "anchors",
    "Finding": "verdicts",
    "Follower": "reader",
    "Kind": "verdicts",
    "OtlpSettings": "sinks",
    "Record": "chain",
    "Span": "reader",
    "SinkSettings": "sinks",
    "SinkStatus": "export_status",
    "State": "verdicts",
    "Verdict": "verdicts",
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
    "anchor_lines": "anchoring",
    "load_public": "keys",
    "read_anchors": "anchors",
    "verify": "verification",
    "writers": "reader",
    "without_doubles": "sinks",
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
    """Import what `_LATER` names (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"otel.{_LATER[name]}"), name)
    globals()[name] = found
    return found
