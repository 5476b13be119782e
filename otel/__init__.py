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
from otel.redact import visible
from otel.trail import AuditTrail

if TYPE_CHECKING:
    from otel.chain import Record
    from otel.config import OtlpSettings, check_endpoint, otlp_settings, ship_command
    from otel.cursor import exported
    from otel.reader import Follower, flat, flat_line, read
    from otel.verification import Finding, Kind, Verdict, verify

_LATER = {
    "Finding": "verification",
    "Follower": "reader",
    "Kind": "verification",
    "OtlpSettings": "config",
    "Record": "chain",
    "Verdict": "verification",
    "check_endpoint": "config",
    "exported": "cursor",
    "flat": "reader",
    "flat_line": "reader",
    "otlp_settings": "config",
    "read": "reader",
    "ship_command": "config",
    "verify": "verification",
}

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


def __getattr__(name: str) -> object:
    """Import what `_LATER` names (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"otel.{_LATER[name]}"), name)
    globals()[name] = found
    return found
