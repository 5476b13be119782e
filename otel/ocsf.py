"""Audit records as events of the Open Cybersecurity Schema Framework, for a SIEM. Pure.

Total: an event that this version doesn't know is a Base Event. Nothing is left out: what has no
place in its class is `unmapped`, under its own name. Which class an event is: `ocsf_classes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel import attributes as a
from otel.chain import canonical, nanoseconds
from otel.ocsf_classes import BASE, FINDING, MAPPED, OTHER, Placed
from otel.ocsf_values import Values

if TYPE_CHECKING:
    from otel.chain import Record
    from otel.ocsf_values import Fields

# https://schema.ocsf.io/1.5.0
VERSION = "1.5.0"

_SEVERITIES = {
    9: (1, "Informational"),
    13: (3, "Medium"),
    17: (4, "High"),
    21: (5, "Critical"),
}
# The first that a record has joins it to others.
_CORRELATED = (a.CONNECTION_ID, a.APPROVAL_ID, a.EXECUTION_ID, a.SESSION_ID)


def line(record: Record) -> str:
    """One event as one line of JSON with sorted keys."""
    return canonical(event(record))


def event(record: Record) -> Fields:
    """One record as an OCSF event."""
    values = Values(record.attributes)
    correlation = next(filter(None, map(values.see, _CORRELATED)), None)
    place = MAPPED.get(record.name)
    placed = place(values, record.name) if place else Placed(BASE, OTHER, {}, record.name)
    kind, activity = placed.kind, placed.activity
    severity_id, severity = _SEVERITIES.get(record.severity, (OTHER, str(record.severity)))
    made: Fields = {
        **placed.fields,
        "activity_id": activity,
        "activity_name": placed.activity_name or kind.activities[activity],
        "category_uid": kind.category,
        "class_name": kind.name,
        "class_uid": kind.uid,
        "metadata": _metadata(record, placed, correlation),
        "severity": severity,
        "severity_id": severity_id,
        "time": nanoseconds(record.timestamp) // 1_000_000,
        "type_uid": kind.uid * 100 + activity,
        "unmapped": _unmapped(record, values),
    }
    if kind is FINDING:
        made["finding_info"]["uid"] = record.uid
    return made


def _metadata(record: Record, placed: Placed, correlation: str | None) -> Fields:
    profiles = [
        name
        for name, field in (
            ("network_proxy", "proxy_endpoint"),
            ("security_control", "disposition_id"),
        )
        if field in placed.fields
    ]
    more = {} if correlation is None else {"correlation_uid": correlation}
    return {
        **more,
        "event_code": record.name,
        "log_name": record.writer,
        "original_time": record.timestamp,
        "product": {"name": "netproxy", "vendor_name": "netproxy"},
        "profiles": profiles,
        "sequence": record.seq,
        "uid": record.uid,
        "version": VERSION,
    }


def _unmapped(record: Record, values: Values) -> Fields:
    """What is left, and what proves the record: it can be held against the journal."""
    return {
        **values.left,
        a.AUDIT_HASH: record.digest.hex(),
        a.AUDIT_PREVIOUS: record.previous.hex(),
    }
