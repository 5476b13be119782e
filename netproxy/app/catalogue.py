"""The catalogue of audit events with the words that their attributes may hold.

Each closed set is taken from the enumeration that its owner decides by, so a new word can't be
forgotten here. `otel` owns the events and knows none of the owners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from approvals import model as approvals
from netproxy import model
from netproxy.connection.overload import Overload
from netproxy.errors import ABANDONED, Failure
from otel import attributes as a
from otel import catalogue_schema, event_schema, events

if TYPE_CHECKING:
    from otel.schema import Closed

_FAILURES = tuple(failure.value.proxy_status for failure in Failure)

CLOSED: Closed = {
    a.TRANSPORT_PROTOCOL: tuple(model.Protocol),
    a.POLICY_DECISION: (model.Verdict.ALLOW.value, model.Verdict.DENY.value),
    a.POLICY_SOURCE: tuple(model.Source),
    (events.PolicyDecision.name, a.POLICY_REASON): tuple(model.Reason),
    (events.DialRefused.name, a.POLICY_REASON): tuple(model.Reason),
    a.CLOSE_REASON: tuple(model.CloseReason),
    a.LIMIT_NAME: tuple(Overload),
    (events.ApprovalFlood.name, a.LIMIT_NAME): tuple(approvals.Limit),
    (events.ConnectionFailed.name, a.ERROR_TYPE): (*_FAILURES, ABANDONED),
    (events.ConnectionClosed.name, a.ERROR_TYPE): _FAILURES,
    a.APPROVAL_STATE: tuple(approvals.Status),
    a.REVIEW_VERDICT: tuple(approvals.Verdict),
    a.REVIEW_SCOPE: tuple(approvals.Scope),
    a.REVIEW_REJECTED: tuple(approvals.Rejection),
    a.WAIT_REASON: tuple(approvals.Leaving),
    a.GRANT_KIND: tuple(approvals.Verdict),
    a.GRANT_END: tuple(approvals.GrantEnd),
}


def schema(event: str | None = None) -> dict[str, Any]:
    """JSON Schema of the events of one name, or of any record. Raises `KeyError` for no event."""
    if event is None:
        return catalogue_schema(CLOSED)
    kinds = {kind.name: kind for kind in events.EVENTS}
    return event_schema(kinds[event], CLOSED)
