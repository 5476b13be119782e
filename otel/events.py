"""Every audit event, one class each: the page an auditor reads.

Those of approvals are in `approval_events`, those of names and the sandbox in `sandbox_events`.

A field is declared with the attribute that it is recorded as. Fields hold flat values only;
whatever text they hold is made safe by `otel.redact` on its way into the journal. Never here:
bodies, credentials, query strings, header values.
"""

from __future__ import annotations

from typing import ClassVar

from otel import attributes as a
from otel.approval_events import (
    ApprovalFlood,
    ApprovalNotified,
    ApprovalRequested,
    ApprovalResolved,
    ApprovalReviewed,
    GrantCreated,
    GrantEnded,
    ReviewerFailed,
    ReviewerSignedIn,
    ReviewRejected,
    RuleWritten,
    WaiterLeft,
)
from otel.event_fields import (
    Event,
    Severity,
    flag,
    fresh_text,
    maybe_number,
    maybe_text,
    number,
    text,
    texts,
)
from otel.sandbox_events import (
    EgressFlood,
    EgressRejected,
    ExposeClosed,
    ExposeOpened,
    ExposeRefused,
    NameAnswered,
    NameFlood,
    NameRefused,
    SandboxProbed,
    UnixClosed,
    UnixOpened,
    UnixRefused,
)

__all__ = [
    "EVENTS",
    "ApprovalFlood",
    "ApprovalNotified",
    "ApprovalRequested",
    "ApprovalResolved",
    "ApprovalReviewed",
    "AssociationClosed",
    "AuditCheckpoint",
    "AuditGap",
    "AuditSpace",
    "ClientsTurnedAway",
    "ClockJumped",
    "ConfigRejected",
    "ConnectionClosed",
    "ConnectionFailed",
    "ConnectionOpened",
    "DialRefused",
    "EgressFlood",
    "EgressRejected",
    "Event",
    "ExportState",
    "ExposeClosed",
    "ExposeOpened",
    "ExposeRefused",
    "GatewayStarted",
    "GatewayStopped",
    "GrantCreated",
    "GrantEnded",
    "IntegrityFailed",
    "NameAnswered",
    "NameFlood",
    "NameRefused",
    "ParentUsed",
    "PolicyDecision",
    "PolicyLoaded",
    "ReviewRejected",
    "ReviewerFailed",
    "ReviewerSignedIn",
    "RuleWritten",
    "RunCancelled",
    "RunExited",
    "RunStarted",
    "SandboxProbed",
    "SegmentRemoved",
    "SessionEnded",
    "SessionStarted",
    "TlsObserved",
    "UnixClosed",
    "UnixOpened",
    "UnixRefused",
    "WaiterLeft",
]


class GatewayStarted(Event):
    """A process opened its journal: the first record after each start."""

    name: ClassVar[str] = "netproxy.gateway.started"
    service_version: str = text(a.SERVICE_VERSION)
    pid: int = number(a.PROCESS_PID)
    torn_bytes: int = number(a.TORN_BYTES)
    previous_shutdown: str = text(a.SHUTDOWN)  # clean | unclean | none
    audit_mode: str | None = maybe_text(a.AUDIT_MODE, default=None)  # written | strict | …
    key_id: str | None = maybe_text(a.CHECKPOINT_KEY, default=None)  # that signs checkpoints


class GatewayStopped(Event):
    """The end of an orderly end: nothing but the checkpoint that signs it comes behind."""

    name: ClassVar[str] = "netproxy.gateway.stopped"
    reason: str | None = maybe_text(a.SHUTDOWN_REASON, default=None)  # run_ended | signal | failed
    aborted: int | None = maybe_number(a.CONNECTIONS_ABORTED, default=None)


class PolicyLoaded(Event):
    """The rules that hold from here on. Synced before a running gateway takes them."""

    name: ClassVar[str] = "netproxy.config.applied"
    digest: str = text(a.POLICY_DIGEST)
    rules: int = number(a.POLICY_RULES)
    source: str = text(a.CONFIG_SOURCE)  # start | files | expiry
    files: tuple[str, ...] = texts(a.CONFIG_FILES, default=())
    previous_digest: str | None = maybe_text(a.POLICY_PREVIOUS, default=None)
    summary: tuple[str, ...] = texts(a.CHANGE_SUMMARY, default=())  # "+ deny **.tracker.example"


class ConfigRejected(Event, severity=Severity.ERROR):
    """Settings that changed and can't be used: the rules from before hold on."""

    name: ClassVar[str] = "netproxy.config.rejected"
    digest: str = text(a.POLICY_DIGEST)  # of the rules that hold on
    error_type: str = text(a.ERROR_TYPE)  # invalid | missing | not_a_file | too_large | EACCES …
    files: tuple[str, ...] = texts(a.CONFIG_FILES, default=())  # what was refused
    errors: tuple[str, ...] = texts(a.CONFIG_ERRORS, default=())  # file:line:column key: what


class SessionStarted(Event):
    """The scope of remembered answers opened."""

    name: ClassVar[str] = "netproxy.session.started"
    session_name: str | None = maybe_text(a.SESSION_NAME, default=None)


class SessionEnded(Event):
    """Nobody is served in the session any more; only one with a name remembers its answers."""

    name: ClassVar[str] = "netproxy.session.ended"
    session_name: str | None = maybe_text(a.SESSION_NAME, default=None)


class RunStarted(Event):
    """A command is about to be executed; recorded before it is."""

    name: ClassVar[str] = "netproxy.run.started"
    executable: str = text(a.PROCESS_EXECUTABLE)
    directory: str = text(a.PROCESS_DIRECTORY)
    user_id: str = text(a.USER_ID)
    user_name: str | None = maybe_text(a.USER_NAME, default=None)
    backend: str = text(a.SANDBOX_BACKEND)  # bubblewrap | none
    plan: tuple[str, ...] = texts(a.SANDBOX_PLAN, default=())
    # Names of the caller's variables that the command does not get.
    withheld: tuple[str, ...] = texts(a.SANDBOX_WITHHELD, default=())
    capture: str | None = maybe_text(a.SANDBOX_CAPTURE, default=None)  # None: no sandbox
    landlock: int | None = maybe_number(a.SANDBOX_LANDLOCK, default=None)  # version; None: not used


class RunExited(Event):
    """The last process of a run is gone."""

    name: ClassVar[str] = "netproxy.run.exited"
    exit_code: int = number(a.PROCESS_EXIT_CODE)  # what netproxy itself exits with
    duration_ms: int = number(a.RUN_DURATION)
    cause: str | None = maybe_text(a.CANCEL_CAUSE, default=None)


class RunCancelled(Event, severity=Severity.WARN):
    """One phase of ending a run early."""

    name: ClassVar[str] = "netproxy.run.cancelled"
    phase: str = text(a.CANCEL_PHASE)  # requested | terminated | killed
    cause: str = text(a.CANCEL_CAUSE)  # the connection.id of the refusal, or timeout
    reason: str = text(a.POLICY_REASON)


class PolicyDecision(Event):
    """What was decided about one connection or request: the event that each of them gets."""

    name: ClassVar[str] = "netproxy.policy_decision"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    client_address: str = fresh_text(a.CLIENT_ADDRESS)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    protocol: str = text(a.TRANSPORT_PROTOCOL)
    method: str = text(a.REQUEST_METHOD)
    scope: str = text(a.POLICY_SCOPE)  # domain | non_domain
    decision: str = text(a.POLICY_DECISION)  # allow | deny
    source: str = text(a.POLICY_SOURCE)
    reason: str = text(a.POLICY_REASON)
    override: bool = flag(a.POLICY_OVERRIDE)
    rule: str | None = maybe_text(a.POLICY_RULE, default=None)
    explanation: str | None = maybe_text(a.POLICY_EXPLANATION, default=None)
    approval_id: str | None = maybe_text(a.APPROVAL_ID, default=None)

    @property
    def severity(self) -> Severity:
        """WARN for a refusal."""
        return Severity.INFO if self.decision == "allow" else Severity.WARN


class DialRefused(Event, severity=Severity.WARN):
    """Allowed by name, but every resolved address was of a class that may not be dialled."""

    name: ClassVar[str] = "netproxy.dial.refused"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    reason: str = text(a.POLICY_REASON)
    addresses: tuple[str, ...] = texts(a.DIAL_REFUSED, default=())  # "10.0.0.1 (private)"


class ConnectionOpened(Event):
    """Bytes can flow from here on, to this address. Not where a kept connection is used again."""

    name: ClassVar[str] = "netproxy.connection.opened"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    peer_address: str = text(a.PEER_ADDRESS)


class ParentUsed(Event):
    """The connection goes through a proxy of the operator's; recorded before it is opened."""

    name: ClassVar[str] = "netproxy.parent.used"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    parent_name: str = text(a.PARENT_NAME)
    parent_target: str = text(a.PARENT_TARGET)
    parent_resolves: bool = flag(a.PARENT_RESOLVES)


class ConnectionFailed(Event, severity=Severity.WARN):
    """Allowed, but lookup or connection failed upstream. Not a denial."""

    name: ClassVar[str] = "netproxy.connection.failed"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    error_type: str = text(a.ERROR_TYPE)  # of RFC 9209, or abandoned
    parent_name: str | None = maybe_text(a.PARENT_NAME, default=None)


class TlsObserved(Event):
    """What a client's ClientHello showed, before a byte of it went on."""

    name: ClassVar[str] = "netproxy.tls.observed"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    seen: str = text(a.HELLO_SEEN)  # whole | part: it was too long or too slow to be waited for
    ech: bool = flag(a.ECH)  # then the name is a stand-in
    server_name: str | None = maybe_text(a.SERVER_NAME, default=None)
    alpn: tuple[str, ...] = texts(a.OFFERED_PROTOCOLS, default=())


class ConnectionClosed(Event):
    """How much flowed, for how long, and why it ended."""

    name: ClassVar[str] = "netproxy.connection.closed"
    connection_id: str = fresh_text(a.CONNECTION_ID)
    server_address: str = text(a.SERVER_ADDRESS)
    server_port: int = number(a.SERVER_PORT)
    bytes_sent: int = number(a.BYTES_SENT)
    bytes_received: int = number(a.BYTES_RECEIVED)
    duration_ms: int = number(a.CONNECTION_DURATION)
    close_reason: str = text(a.CLOSE_REASON)  # finished | reset | idle | … (netproxy.model)
    peer_address: str | None = maybe_text(a.PEER_ADDRESS, default=None)
    error_type: str | None = maybe_text(a.ERROR_TYPE, default=None)  # the origin gave no answer
    status: int | None = maybe_number(a.RESPONSE_STATUS, default=None)  # plain HTTP only
    datagrams_sent: int | None = maybe_number(a.DATAGRAMS_SENT, default=None)  # UDP only
    datagrams_received: int | None = maybe_number(a.DATAGRAMS_RECEIVED, default=None)


class AssociationClosed(Event):
    """A client's SOCKS5 association for UDP is over; what it sent where is in its connections'."""

    name: ClassVar[str] = "netproxy.association.closed"
    connection_id: str = fresh_text(a.CONNECTION_ID)  # of the association, not of a flow
    client_address: str = fresh_text(a.CLIENT_ADDRESS)
    flows: int = number(a.ASSOCIATION_FLOWS)  # destinations that were let through
    dropped: int = number(a.DATAGRAMS_DROPPED)  # datagrams of the client that went nowhere
    duration_ms: int = number(a.CONNECTION_DURATION)
    close_reason: str = text(a.CLOSE_REASON)


class ClientsTurnedAway(Event, severity=Severity.WARN):
    """Clients that came over a limit, or without the secret that is asked for: one second's sum."""

    name: ClassVar[str] = "netproxy.clients.turned_away"
    # connections_per_run | connections_per_second | connections_total | descriptors | credentials |
    # udp_associations_per_run | udp_flows | bytes_per_run
    limit: str = text(a.LIMIT_NAME)
    count: int = number(a.LIMIT_REFUSED)  # type: ignore[assignment]  # and not tuple.count
    client_address: str = fresh_text(a.CLIENT_ADDRESS)  # the last one's


class AuditCheckpoint(Event):
    """The writer signs where its chain has come to: what an anchor elsewhere is made of."""

    name: ClassVar[str] = "netproxy.audit.checkpoint"
    writer: str = text(a.AUDIT_CHAIN)
    checkpoint: int = number(a.CHECKPOINT_NUMBER)  # from 1, without a gap, over restarts too
    head_seq: int = number(a.CHECKPOINT_SEQ)  # of the record before this one
    head_hash: str = fresh_text(a.CHECKPOINT_HASH)  # that record's, hexadecimal
    records: int = number(a.CHECKPOINT_RECORDS)  # since the checkpoint before
    segment: str = text(a.SEGMENT_NAME)  # the file that it is in
    cause: str = text(a.CHECKPOINT_CAUSE)  # records | time | sealed | removal | shutdown …
    key_id: str = text(a.CHECKPOINT_KEY)
    signature: str = fresh_text(a.CHECKPOINT_SIGNATURE)  # Ed25519, base64
    sealed_segment: str | None = maybe_text(a.SEALED_NAME, default=None)
    sealed_digest: str | None = maybe_text(a.SEALED_DIGEST, default=None)  # SHA-256 of that file


class SegmentRemoved(Event, severity=Severity.WARN):
    """Retention takes a sealed and exported segment away; recorded before it is."""

    name: ClassVar[str] = "netproxy.audit.segment_removed"
    segment: str = fresh_text(a.SEGMENT_NAME)
    digest: str = fresh_text(a.SEALED_DIGEST)
    first_seq: int = number(a.SEGMENT_FIRST_SEQ)
    last_seq: int = number(a.SEGMENT_LAST_SEQ)
    last_hash: str = fresh_text(a.SEGMENT_LAST_HASH)  # that the next segment's chain goes on from


class AuditGap(Event, severity=Severity.ERROR):
    """Records are missing before this one: the trail says so itself."""

    name: ClassVar[str] = "netproxy.audit.gap"
    error_type: str = text(a.ERROR_TYPE)
    lost: int = number(a.GAP_LOST)  # -1: nobody knows
    from_time: str | None = maybe_text(a.GAP_FROM, default=None)  # of the first that is missing
    to_time: str | None = maybe_text(a.GAP_TO, default=None)


class AuditSpace(Event, severity=Severity.WARN):
    """The journal's disk got fuller, or emptier, than a step of the ladder."""

    name: ClassVar[str] = "netproxy.audit.space"
    state: str = text(a.SPACE_STATE)  # ok | low | critical | full
    bytes_free: int = number(a.SPACE_FREE)


class ExportState(Event, severity=Severity.WARN):
    """A sink stands still, goes on, or would not take records."""

    name: ClassVar[str] = "netproxy.audit.export_state"
    sink: str = text(a.EXPORT_SINK)
    state: str = text(a.EXPORT_STATE)  # stalled | recovered | rejected
    lag_records: int = number(a.EXPORT_LAG)
    lag_ms: int = number(a.EXPORT_LAG_MS)
    rejected: int = number(a.EXPORT_REJECTED)
    error_type: str | None = maybe_text(a.ERROR_TYPE, default=None)


class IntegrityFailed(Event, severity=Severity.FATAL):
    """A chain was found changed when it was opened: it is left as it is, and another begins."""

    name: ClassVar[str] = "netproxy.audit.integrity_failed"
    kind: str = text(a.INTEGRITY_KIND)  # hash | sequence | signature | truncated | …
    writer: str = text(a.INTEGRITY_CHAIN)
    place: str = text(a.INTEGRITY_PLACE)  # file:line


class ClockJumped(Event, severity=Severity.WARN):
    """The wall clock moved against the monotonic one: times before and after don't compare."""

    name: ClassVar[str] = "netproxy.clock.jump"
    delta_ms: int = number(a.CLOCK_DELTA)  # below zero: it was set back


# Those of this file first: a process begins and ends with them.
EVENTS: tuple[type[Event], ...] = tuple(
    sorted(Event.__subclasses__(), key=lambda kind: kind.__module__ != __name__)
)
