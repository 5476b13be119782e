"""Every audit event of approvals: questions, answers, what they leave behind, who answered.

Part of the catalogue (`events`). Never here: a token, a secret, a nonce, or a link that opens.
"""

from __future__ import annotations

from typing import ClassVar

from otel import attributes as a
from otel.event_fields import (
    Event,
    Severity,
    flag,
    fresh_text,
    maybe_number,
    maybe_text,
    number,
    text,
)


class ApprovalRequested(Event):
    """A question was put to reviewers."""

    name: ClassVar[str] = "netproxy.approval.requested"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    protocol: str = text(a.TRANSPORT_PROTOCOL)
    expires_at: str = fresh_text(a.APPROVAL_EXPIRES)
    group: str | None = maybe_text(a.APPROVAL_GROUP, default=None)


class ApprovalNotified(Event):
    """A reviewer elsewhere was sent the question, or could not be."""

    name: ClassVar[str] = "netproxy.approval.notified"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    channel: str = text(a.REVIEWER_CHANNEL)
    reviewer: str = text(a.REVIEWER_ID)  # the endpoint's name in the settings
    delivered: bool = flag(a.NOTIFY_DELIVERED)
    error_type: str | None = maybe_text(a.ERROR_TYPE, default=None)


class ApprovalReviewed(Event):
    """A reviewer answered. Synced before the answer takes effect."""

    name: ClassVar[str] = "netproxy.approval.reviewed"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    verdict: str = text(a.REVIEW_VERDICT)  # allow | deny
    scope: str = text(a.REVIEW_SCOPE)  # once | run | time | session | always
    reviewer: str = text(a.REVIEWER_ID)
    channel: str = text(a.REVIEWER_CHANNEL)  # terminal | web | api | cli | webhook | command | …
    comment: str | None = maybe_text(a.REVIEW_COMMENT, default=None)
    seconds: int | None = maybe_number(a.REVIEW_SECONDS, default=None)
    budget_connections: int | None = maybe_number(a.BUDGET_CONNECTIONS, default=None)
    budget_bytes: int | None = maybe_number(a.BUDGET_BYTES, default=None)


class ReviewRejected(Event, severity=Severity.WARN):
    """An answer, or who gave it, was turned away: it changed nothing."""

    name: ClassVar[str] = "netproxy.approval.review_rejected"
    approval_id: str | None = maybe_text(a.APPROVAL_ID, default=None)
    channel: str = text(a.REVIEWER_CHANNEL)
    reviewer: str | None = maybe_text(a.REVIEWER_ID, default=None)
    # already_resolved | expired | stale | unauthenticated | forbidden | invalid | replayed |
    # scope | unknown | unrecorded
    reason: str = text(a.REVIEW_REJECTED)


class ReviewerFailed(Event, severity=Severity.WARN):
    """A reviewer could not be asked: whoever sits there never saw the question."""

    name: ClassVar[str] = "netproxy.reviewer.failed"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    channel: str = text(a.REVIEWER_CHANNEL)
    error_type: str = text(a.ERROR_TYPE)


class ReviewerSignedIn(Event):
    """Somebody may answer from here on, until they sign out."""

    name: ClassVar[str] = "netproxy.reviewer.signed_in"
    reviewer: str = text(a.REVIEWER_ID)
    channel: str = text(a.REVIEWER_CHANNEL)


class ApprovalResolved(Event):
    """A question reached its end, by an answer or without one."""

    name: ClassVar[str] = "netproxy.approval.resolved"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    state: str = text(a.APPROVAL_STATE)  # granted | denied | expired | withdrawn
    waiters: int = number(a.APPROVAL_WAITERS)
    duration_ms: int = number(a.APPROVAL_DURATION)


class WaiterLeft(Event):
    """A connection no longer waits for an answer, and the question is still open."""

    name: ClassVar[str] = "netproxy.approval.waiter_left"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    connection_id: str = fresh_text(a.CONNECTION_ID)
    reason: str = text(a.WAIT_REASON)  # client_gone | hold_timeout | …
    duration_ms: int = number(a.WAIT_DURATION)


class ApprovalFlood(Event, severity=Severity.WARN):
    """A session asked more than reviewers can answer: one record for all that were refused."""

    name: ClassVar[str] = "netproxy.approval.flood"
    limit: str = text(a.LIMIT_NAME)  # pending | rate
    refused: int = number(a.LIMIT_REFUSED)


class GrantCreated(Event):
    """An answer is remembered from here on."""

    name: ClassVar[str] = "netproxy.grant.created"
    grant_id: str = fresh_text(a.GRANT_ID)
    approval_id: str = fresh_text(a.APPROVAL_ID)
    kind: str = text(a.GRANT_KIND)  # allow | deny
    scope: str = text(a.REVIEW_SCOPE)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    protocol: str = text(a.TRANSPORT_PROTOCOL)
    expires_at: str | None = maybe_text(a.GRANT_EXPIRES, default=None)
    budget_connections: int | None = maybe_number(a.BUDGET_CONNECTIONS, default=None)
    budget_bytes: int | None = maybe_number(a.BUDGET_BYTES, default=None)


class GrantEnded(Event):
    """It is no longer remembered. With a budget: what it was used for."""

    name: ClassVar[str] = "netproxy.grant.ended"
    grant_id: str = fresh_text(a.GRANT_ID)
    # used | used_up | expired | revoked | run_ended | session_ended | gateway_lost
    end_reason: str = text(a.GRANT_END)
    reviewer: str | None = maybe_text(a.REVIEWER_ID, default=None)  # who took it back
    channel: str | None = maybe_text(a.REVIEWER_CHANNEL, default=None)
    comment: str | None = maybe_text(a.REVIEW_COMMENT, default=None)
    connections: int | None = maybe_number(a.GRANT_CONNECTIONS, default=None)
    bytes: int | None = maybe_number(a.GRANT_BYTES, default=None)


class RuleWritten(Event):
    """An answer became a rule of the user's policy."""

    name: ClassVar[str] = "netproxy.rule.written"
    approval_id: str = fresh_text(a.APPROVAL_ID)
    verdict: str = text(a.REVIEW_VERDICT)  # allow | deny
    rule: str = text(a.POLICY_RULE)
    file: str = text(a.RULE_FILE)
    reviewer: str = text(a.REVIEWER_ID)
