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
APPROVAL_STATE = "netproxy.approval.state"
APPROVAL_WAITERS = "netproxy.approval.waiters"
APPROVAL_EXPIRES = "netproxy.approval.expires_at"
APPROVAL_DURATION = "netproxy.approval.duration_ms"
REVIEW_VERDICT = "netproxy.review.verdict"
REVIEW_SCOPE = "netproxy.review.scope"
REVIEW_COMMENT = "netproxy.review.comment"
REVIEWER_ID = "netproxy.reviewer.id"
REVIEWER_CHANNEL = "netproxy.channel"
GRANT_ID = "netproxy.grant.id"
GRANT_KIND = "netproxy.grant.kind"
GRANT_END = "netproxy.grant.end_reason"

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
LIMIT_REFUSED = "netproxy.limit.refused"  # clients within the last second
DIAL_REFUSED = "netproxy.dial.refused_addresses"

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
GAP_LOST = "netproxy.gap.lost"

# Of the journal itself, on exported records: they let a collector find what is missing.
AUDIT_CHAIN = "netproxy.audit.chain"  # the writer's id
AUDIT_SEQ = "netproxy.audit.seq"
AUDIT_HASH = "netproxy.audit.hash"
AUDIT_PREVIOUS = "netproxy.audit.prev_hash"
