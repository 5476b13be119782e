"""Audit records: events, the journal that keeps them, and their export.

Events themselves are in `otel.events`. The exporter is a process of its own, `otel.ship`, and is
never imported here: it would bring an HTTP client into every start of the command.
"""

from otel.attributes import Attributes, Value
from otel.chain import Record
from otel.config import OtlpSettings, check_endpoint, otlp_settings, ship_command
from otel.cursor import exported
from otel.errors import (
    AuditError,
    AuditUnavailable,
    ExportRefused,
    JournalBroken,
    MalformedRecord,
)
from otel.ids import new_id
from otel.journal import Clock, Journal
from otel.reader import Follower, flat, flat_line, read
from otel.redact import visible
from otel.trail import AuditTrail
from otel.verify import Finding, Kind, Verdict, verify

__all__ = [
    "Attributes",
    "AuditError",
    "AuditTrail",
    "AuditUnavailable",
    "Clock",
    "ExportRefused",
    "Finding",
    "Follower",
    "Journal",
    "JournalBroken",
    "Kind",
    "MalformedRecord",
    "OtlpSettings",
    "Record",
    "Value",
    "Verdict",
    "check_endpoint",
    "exported",
    "flat",
    "flat_line",
    "new_id",
    "otlp_settings",
    "read",
    "ship_command",
    "verify",
    "visible",
]
