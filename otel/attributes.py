"""Attribute names of audit records: OpenTelemetry semantic conventions where they have a word.

Names are frozen once released. `network.transport` itself is not emitted, because a name can't be
both a value and the namespace of `network.transport.protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping

type Value = str | int | bool | tuple[str, ...] | None
type Attributes = Mapping[str, Value]

# On every record.
EVENT_NAME = "event.name"
EVENT_TIMESTAMP = "event.timestamp"  # RFC 3339 UTC with milliseconds
RECORD_UID = "log.record.uid"  # sinks remove duplicates by it
SESSION_ID = "session.id"
SESSION_NAME = "netproxy.session.name"
EXECUTION_ID = "execution.id"
SANDBOX_ENFORCED = "sandbox.enforced"
CONVERSATION_ID = "conversation.id"
# Of the run's span, where runs are traced: the names that OpenTelemetry gives them outside OTLP.
TRACE_ID = "trace_id"
SPAN_ID = "span_id"

# Where to, from where, how.
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
CLIENT_ADDRESS = "client.address"
PEER_ADDRESS = "network.peer.address"
PEER_PORT = "network.peer.port"
TRANSPORT_PROTOCOL = "network.transport.protocol"
REQUEST_METHOD = "http.request.method"
RESPONSE_STATUS = "http.response.status_code"
CONNECTION_ID = "connection.id"
ERROR_TYPE = "error.type"

# What a TLS client showed before it was encrypted.
SERVER_NAME = "tls.client.server_name"
OFFERED_PROTOCOLS = "netproxy.tls.alpn"  # by the client; `tls.next_protocol` is what was chosen
ECH = "netproxy.tls.ech"
HELLO_SEEN = "netproxy.tls.seen"  # whole | part

# The decision.
POLICY_SCOPE = "network.policy.scope"
POLICY_DECISION = "network.policy.decision"
POLICY_SOURCE = "network.policy.source"
POLICY_REASON = "network.policy.reason"
POLICY_OVERRIDE = "network.policy.override"
POLICY_RULE = "security_rule.name"
POLICY_EXPLANATION = "netproxy.policy.explanation"  # as the client and the reviewer read it

# Approvals.
APPROVAL_ID = "approval.id"
APPROVAL_GROUP = "netproxy.approval.group"  # whose host it is: the registrable domain
APPROVAL_STATE = "netproxy.approval.state"
APPROVAL_WAITERS = "netproxy.approval.waiters"
APPROVAL_EXPIRES = "netproxy.approval.expires_at"
APPROVAL_DURATION = "netproxy.approval.duration_ms"
REVIEW_VERDICT = "netproxy.review.verdict"
REVIEW_SCOPE = "netproxy.review.scope"
REVIEW_COMMENT = "netproxy.review.comment"
REVIEW_SECONDS = "netproxy.review.seconds"  # that a yes for a time holds, from the answer on
REVIEW_REJECTED = "netproxy.review.rejected_reason"
BUDGET_CONNECTIONS = "netproxy.budget.connections"
BUDGET_BYTES = "netproxy.budget.bytes"
NOTIFY_DELIVERED = "netproxy.notification.delivered"
REVIEWER_ID = "netproxy.reviewer.id"
REVIEWER_CHANNEL = "netproxy.channel"
WAIT_REASON = "netproxy.wait.reason"
WAIT_DURATION = "netproxy.wait.duration_ms"
GRANT_ID = "netproxy.grant.id"
GRANT_KIND = "netproxy.grant.kind"
GRANT_END = "netproxy.grant.end_reason"
GRANT_EXPIRES = "netproxy.grant.expires_at"
GRANT_CONNECTIONS = "netproxy.grant.connections"  # that it carried
GRANT_BYTES = "netproxy.grant.bytes"  # in both directions
RULE_FILE = "netproxy.rule.file"

# Connections.
BYTES_SENT = "netproxy.bytes.sent"  # from the client to the origin
BYTES_RECEIVED = "netproxy.bytes.received"  # from the origin to the client
DATAGRAMS_SENT = "netproxy.datagrams.sent"
DATAGRAMS_RECEIVED = "netproxy.datagrams.received"
DATAGRAMS_DROPPED = "netproxy.datagrams.dropped"
ASSOCIATION_FLOWS = "netproxy.association.flows"
PARENT_NAME = "netproxy.parent.name"  # of the operator's settings
PARENT_TARGET = "netproxy.parent.target"  # what the parent was told: host:port
PARENT_RESOLVES = "netproxy.parent.resolves"  # then nobody checked where the name led
CONNECTION_DURATION = "netproxy.connection.duration_ms"
CLOSE_REASON = "netproxy.close.reason"
LIMIT_NAME = "netproxy.limit.name"
LIMIT_REFUSED = "netproxy.limit.refused"  # clients within a second, questions within a window
DIAL_REFUSED = "netproxy.dial.refused_addresses"
UNIX_PATH = "netproxy.unix.path"  # as the command named it
EXPOSE_PORT = "netproxy.expose.port"  # of the command's own loopback
EXPOSE_HOST_PORT = "netproxy.expose.host_port"  # of this host's, which leads to it

# Names that the command looks up. Each is the `server.address` of its record.
DNS_ANSWERS = "dns.answers"  # the address that stands for it, in this run only
DNS_TYPE = "netproxy.dns.type"  # of the record that was asked for
DNS_OUTCOME = "netproxy.dns.outcome"  # refused | unknown
DNS_LOOKUPS = "netproxy.dns.lookups"

# Packets that left the command past its proxies, and were refused.
EGRESS_PACKETS = "netproxy.egress.packets"
EGRESS_DROPPED = "netproxy.egress.reports_dropped"  # times that the kernel had no room for reports

# Runs and the gateway.
PROCESS_PID = "process.pid"
PROCESS_EXECUTABLE = "process.executable.name"
PROCESS_DIRECTORY = "process.working_directory"
PROCESS_EXIT_CODE = "process.exit.code"
USER_ID = "user.id"
USER_NAME = "user.name"
SERVICE_VERSION = "service.version"
SANDBOX_BACKEND = "sandbox.backend"
SANDBOX_PLAN = "sandbox.plan"
SANDBOX_WITHHELD = "sandbox.environment.withheld"
SANDBOX_CAPTURE = "sandbox.capture"  # on | off | off: why
SANDBOX_LANDLOCK = "sandbox.landlock"  # version of the kernel's interface; 0: it has none
PROBE_HELD = "netproxy.probe.held"
PROBE_ATTEMPTS = "netproxy.probe.attempts"
PROBE_SURPRISES = "netproxy.probe.surprises"
PROBE_DURATION = "netproxy.probe.duration_ms"
CANCEL_PHASE = "netproxy.cancel.phase"
CANCEL_CAUSE = "netproxy.cancel.cause"
RUN_DURATION = "netproxy.run.duration_ms"
POLICY_DIGEST = "netproxy.policy.digest"
POLICY_RULES = "netproxy.policy.rules"
POLICY_PREVIOUS = "netproxy.policy.previous_digest"
CONFIG_SOURCE = "netproxy.config.source"
CONFIG_FILES = "netproxy.config.files"  # "user /home/me/.config/… sha256:…"
CONFIG_ERRORS = "netproxy.config.errors"
CHANGE_SUMMARY = "netproxy.change.summary"
TORN_BYTES = "netproxy.journal.torn_bytes"
SHUTDOWN = "netproxy.previous.shutdown"
SHUTDOWN_REASON = "netproxy.shutdown.reason"
CONNECTIONS_ABORTED = "netproxy.connections.aborted"

# What the trail says of itself.
AUDIT_MODE = "netproxy.audit.mode"
GAP_LOST = "netproxy.gap.lost"
GAP_FROM = "netproxy.gap.from_time"
GAP_TO = "netproxy.gap.to_time"
CHECKPOINT_NUMBER = "netproxy.checkpoint.no"
CHECKPOINT_SEQ = "netproxy.checkpoint.seq"
CHECKPOINT_HASH = "netproxy.checkpoint.hash"
CHECKPOINT_RECORDS = "netproxy.checkpoint.records"
CHECKPOINT_CAUSE = "netproxy.checkpoint.cause"
CHECKPOINT_KEY = "netproxy.checkpoint.key_id"
CHECKPOINT_SIGNATURE = "netproxy.checkpoint.signature"
SEGMENT_NAME = "netproxy.segment.name"
SEGMENT_FIRST_SEQ = "netproxy.segment.first_seq"
SEGMENT_LAST_SEQ = "netproxy.segment.last_seq"
SEGMENT_LAST_HASH = "netproxy.segment.last_hash"
SEALED_NAME = "netproxy.sealed.name"
SEALED_DIGEST = "netproxy.sealed.digest"  # SHA-256 of the whole file
SPACE_STATE = "netproxy.journal.space"
SPACE_FREE = "netproxy.journal.bytes_free"
EXPORT_SINK = "netproxy.export.sink"
EXPORT_STATE = "netproxy.export.state"
EXPORT_LAG = "netproxy.export.lag_records"
EXPORT_LAG_MS = "netproxy.export.lag_ms"
EXPORT_REJECTED = "netproxy.export.rejected"
INTEGRITY_KIND = "netproxy.integrity.kind"
INTEGRITY_CHAIN = "netproxy.integrity.chain"
INTEGRITY_PLACE = "netproxy.integrity.place"
CLOCK_DELTA = "netproxy.clock.delta_ms"

# Of the journal itself, on exported records: they let a collector find what is missing.
AUDIT_CHAIN = "netproxy.audit.chain"  # the writer's id
AUDIT_SEQ = "netproxy.audit.seq"
AUDIT_HASH = "netproxy.audit.hash"
AUDIT_PREVIOUS = "netproxy.audit.prev_hash"
