"""Every audit event, one class each: the page an auditor reads.

A field's metadata names its attribute. Fields hold flat values only; whatever text they hold is
made safe by `otel.redact` on its way into the journal. Never here: bodies, credentials, query
strings, header values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from otel import attributes as a

if TYPE_CHECKING:
    from otel.attributes import Value


class Severity(IntEnum):
    """SeverityNumber of the OpenTelemetry log data model."""

    INFO = 9
    WARN = 13
    ERROR = 17


def _as(name: str) -> str:
    """Declare a required field that is recorded under `name`."""
    result: str = field(metadata={"attribute": name})
    return result


def _as_int(name: str) -> int:
    result: int = field(metadata={"attribute": name})
    return result


def _as_bool(name: str) -> bool:
    result: bool = field(metadata={"attribute": name})
    return result


def _maybe(name: str) -> str | None:
    """Declare an optional text; None is recorded as null."""
    result: str | None = field(default=None, metadata={"attribute": name})
    return result


def _maybe_int(name: str) -> int | None:
    result: int | None = field(default=None, metadata={"attribute": name})
    return result


def _texts(name: str) -> tuple[str, ...]:
    result: tuple[str, ...] = field(default=(), metadata={"attribute": name})
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events. `name` is fixed text and never holds data."""

    name: ClassVar[str]

    @property
    def severity(self) -> Severity:
        """WARN where something was refused, ERROR where the trail itself suffered."""
        return Severity.INFO

    def attributes(self) -> dict[str, Value]:
        """The event's own attributes, unordered and not yet redacted."""
        return {attribute: getattr(self, name) for attribute, name in _names(type(self))}


# Every connection makes three events: looking the fields up anew would double their cost.
_NAMES: dict[type[Event], tuple[tuple[str, str], ...]] = {}


def _names(kind: type[Event]) -> tuple[tuple[str, str], ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple((f.metadata["attribute"], f.name) for f in fields(kind))
    return _NAMES[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStarted(Event):
    """A process opened its journal: the first record after each start."""

    name: ClassVar[str] = "netproxy.gateway.started"
    service_version: str = _as(a.SERVICE_VERSION)
    pid: int = _as_int(a.PROCESS_PID)
    torn_bytes: int = _as_int(a.TORN_BYTES)
    previous_shutdown: str = _as(a.SHUTDOWN)  # clean | unclean | none


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStopped(Event):
    """The last record of an orderly end; without it the end was not orderly."""

    name: ClassVar[str] = "netproxy.gateway.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """The rules that hold from here on."""

    name: ClassVar[str] = "netproxy.config.applied"
    digest: str = _as(a.POLICY_DIGEST)
    rules: int = _as_int(a.POLICY_RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """The scope of remembered answers opened."""

    name: ClassVar[str] = "netproxy.session.started"
    session_name: str | None = _maybe(a.SESSION_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """Every grant of the session is gone with it."""

    name: ClassVar[str] = "netproxy.session.ended"
    session_name: str | None = _maybe(a.SESSION_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A command is about to be executed; recorded before it is."""

    name: ClassVar[str] = "netproxy.run.started"
    executable: str = _as(a.PROCESS_EXECUTABLE)
    directory: str = _as(a.PROCESS_DIRECTORY)
    user_id: str = _as(a.USER_ID)
    user_name: str | None = _maybe(a.USER_NAME)
    backend: str = _as(a.SANDBOX_BACKEND)  # bubblewrap | none
    plan: tuple[str, ...] = _texts(a.SANDBOX_PLAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunExited(Event):
    """The last process of a run is gone."""

    name: ClassVar[str] = "netproxy.run.exited"
    exit_code: int = _as_int(a.PROCESS_EXIT_CODE)  # what netproxy itself exits with
    duration_ms: int = _as_int(a.RUN_DURATION)
    cause: str | None = _maybe(a.CANCEL_CAUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled(Event):
    """One phase of ending a run early."""

    name: ClassVar[str] = "netproxy.run.cancelled"
    phase: str = _as(a.CANCEL_PHASE)  # requested | terminated | killed
    cause: str = _as(a.CANCEL_CAUSE)  # the connection.id of the refusal, or timeout
    reason: str = _as(a.POLICY_REASON)

    @property
    def severity(self) -> Severity:
        """Ending somebody's command is worth a look."""
        return Severity.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecision(Event):
    """What was decided about one connection or request: the event that each of them gets."""

    name: ClassVar[str] = "netproxy.policy_decision"
    connection_id: str = _as(a.CONNECTION_ID)
    client_address: str = _as(a.CLIENT_ADDRESS)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    protocol: str = _as(a.TRANSPORT_PROTOCOL)
    method: str = _as(a.REQUEST_METHOD)
    scope: str = _as(a.POLICY_SCOPE)  # domain | non_domain
    decision: str = _as(a.POLICY_DECISION)  # allow | deny
    source: str = _as(a.POLICY_SOURCE)
    reason: str = _as(a.POLICY_REASON)
    override: bool = _as_bool(a.POLICY_OVERRIDE)
    rule: str | None = _maybe(a.POLICY_RULE)
    approval_id: str | None = _maybe(a.APPROVAL_ID)

    @property
    def severity(self) -> Severity:
        """WARN for a refusal."""
        return Severity.INFO if self.decision == "allow" else Severity.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRefused(Event):
    """Allowed by name, but every resolved address was of a class that may not be dialled."""

    name: ClassVar[str] = "netproxy.dial.refused"
    connection_id: str = _as(a.CONNECTION_ID)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    reason: str = _as(a.POLICY_REASON)
    addresses: tuple[str, ...] = _texts(a.DIAL_REFUSED)  # "10.0.0.1 (private)"

    @property
    def severity(self) -> Severity:
        """A public name with a private address is somebody's mistake or somebody's attack."""
        return Severity.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOpened(Event):
    """Bytes can flow from here on, to this address."""

    name: ClassVar[str] = "netproxy.connection.opened"
    connection_id: str = _as(a.CONNECTION_ID)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    peer_address: str = _as(a.PEER_ADDRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFailed(Event):
    """Allowed, but lookup or connection failed upstream. Not a denial."""

    name: ClassVar[str] = "netproxy.connection.failed"
    connection_id: str = _as(a.CONNECTION_ID)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    error_type: str = _as(a.ERROR_TYPE)  # an RFC 9209 error type

    @property
    def severity(self) -> Severity:
        """Worth a look: the run may fail for it."""
        return Severity.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed(Event):
    """How much flowed, for how long, and why it ended."""

    name: ClassVar[str] = "netproxy.connection.closed"
    connection_id: str = _as(a.CONNECTION_ID)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    bytes_sent: int = _as_int(a.BYTES_SENT)
    bytes_received: int = _as_int(a.BYTES_RECEIVED)
    duration_ms: int = _as_int(a.CONNECTION_DURATION)
    close_reason: str = _as(a.CLOSE_REASON)  # finished | reset | run_cancelled | run_ended
    status: int | None = _maybe_int(a.RESPONSE_STATUS)  # plain HTTP only


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(Event):
    """A question was put to reviewers."""

    name: ClassVar[str] = "netproxy.approval.requested"
    approval_id: str = _as(a.APPROVAL_ID)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    protocol: str = _as(a.TRANSPORT_PROTOCOL)
    expires_at: str = _as(a.APPROVAL_EXPIRES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReviewed(Event):
    """A reviewer answered. Synced before the answer takes effect."""

    name: ClassVar[str] = "netproxy.approval.reviewed"
    approval_id: str = _as(a.APPROVAL_ID)
    verdict: str = _as(a.REVIEW_VERDICT)  # allow | deny
    scope: str = _as(a.REVIEW_SCOPE)  # once | session
    reviewer: str = _as(a.REVIEWER_ID)
    channel: str = _as(a.REVIEWER_CHANNEL)  # terminal
    comment: str | None = _maybe(a.REVIEW_COMMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerFailed(Event):
    """A reviewer could not be asked: whoever sits there never saw the question."""

    name: ClassVar[str] = "netproxy.reviewer.failed"
    approval_id: str = _as(a.APPROVAL_ID)
    channel: str = _as(a.REVIEWER_CHANNEL)
    error_type: str = _as(a.ERROR_TYPE)

    @property
    def severity(self) -> Severity:
        """Questions that nobody sees look like a hanging command."""
        return Severity.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResolved(Event):
    """A question reached its end, by an answer or without one."""

    name: ClassVar[str] = "netproxy.approval.resolved"
    approval_id: str = _as(a.APPROVAL_ID)
    state: str = _as(a.APPROVAL_STATE)  # granted | denied | expired | withdrawn
    waiters: int = _as_int(a.APPROVAL_WAITERS)
    duration_ms: int = _as_int(a.APPROVAL_DURATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCreated(Event):
    """The session remembers an answer from here on."""

    name: ClassVar[str] = "netproxy.grant.created"
    grant_id: str = _as(a.GRANT_ID)
    approval_id: str = _as(a.APPROVAL_ID)
    kind: str = _as(a.GRANT_KIND)  # allow | deny
    scope: str = _as(a.REVIEW_SCOPE)
    server_address: str = _as(a.SERVER_ADDRESS)
    server_port: int = _as_int(a.SERVER_PORT)
    protocol: str = _as(a.TRANSPORT_PROTOCOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEnded(Event):
    """The session no longer remembers it."""

    name: ClassVar[str] = "netproxy.grant.ended"
    grant_id: str = _as(a.GRANT_ID)
    end_reason: str = _as(a.GRANT_END)  # used | expired | revoked | session_ended


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditGap(Event):
    """Records are missing before this one: the trail says so itself."""

    name: ClassVar[str] = "netproxy.audit.gap"
    error_type: str = _as(a.ERROR_TYPE)
    lost: int = _as_int(a.GAP_LOST)

    @property
    def severity(self) -> Severity:
        """The worst that can happen to a trail."""
        return Severity.ERROR


EVENTS: tuple[type[Event], ...] = (
    GatewayStarted, GatewayStopped, PolicyLoaded, SessionStarted, SessionEnded, RunStarted,
    RunExited, RunCancelled, PolicyDecision, DialRefused, ConnectionOpened, ConnectionFailed,
    ConnectionClosed, ApprovalRequested, ApprovalReviewed, ReviewerFailed, ApprovalResolved,
    GrantCreated, GrantEnded, AuditGap,
)  # fmt: skip
