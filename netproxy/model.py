"""The words of the proxy as values: destination, request, judgement, decision.

Pure, immutable, and already canonical: a `Destination` is built by `netproxy.policy.hosts` only,
so nothing that holds one has to ask again whether its host is spelled well.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple, NewType

from otel.values import dataclass

ConnectionId = NewType("ConnectionId", str)
ApprovalId = NewType("ApprovalId", str)


class Protocol(StrEnum):
    """How the client asked: one part of the approval key, and of every rule."""

    HTTP = "http"  # a plain request in absolute form
    HTTPS = "https"  # a CONNECT tunnel, whatever flows inside
    SOCKS5_TCP = "socks5-tcp"
    SOCKS5_UDP = "socks5-udp"
    TCP = "tcp"  # captured without a proxy protocol


class Verdict(Enum):
    """What the policy says. It has no default: whoever forgets to choose does not compile."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


class Source(StrEnum):
    """Which part of the gateway decided (`network.policy.source`)."""

    BASELINE_POLICY = "baseline_policy"  # rules, defaults, address classes
    MODE_GUARD = "mode_guard"  # limited or off
    PROXY_STATE = "proxy_state"  # audit, limits, malformed input
    SESSION_CACHE = "session_cache"  # a grant or a denial that the session remembers
    REVIEWER = "reviewer"  # a person or program that was asked
    DECIDER = "decider"  # the approval service itself: time ran out, nobody to ask


class Reason(StrEnum):
    """Why: a closed set, frozen once released (`network.policy.reason`)."""

    ALLOWED_BY_RULE = "allowed_by_rule"
    ALLOWED_BY_GRANT = "allowed_by_grant"
    APPROVED = "approved"
    DENIED_BY_RULE = "denied_by_rule"
    DENIED_BY_REVIEWER = "denied_by_reviewer"
    DENIED_BY_SESSION = "denied_by_session"
    APPROVAL_TIMEOUT = "approval_timeout"
    APPROVAL_UNAVAILABLE = "approval_unavailable"
    NOT_ALLOWED = "not_allowed"
    NOT_ALLOWED_LOCAL = "not_allowed_local"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INSPECTION_REQUIRED = "inspection_required"
    SNI_MISMATCH = "sni_mismatch"
    HOST_MISMATCH = "host_mismatch"
    INVALID_DESTINATION = "invalid_destination"
    PROXY_DISABLED = "proxy_disabled"
    UNIX_SOCKET_UNSUPPORTED = "unix_socket_unsupported"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    LIMIT_EXCEEDED = "limit_exceeded"


# The refusals that end the command by default: each is somebody's no. A timeout, an outage or a
# malformed request is nobody's no, so it never cancels (design section 7).
CANCELLING = frozenset(
    {
        Reason.DENIED_BY_RULE,
        Reason.DENIED_BY_REVIEWER,
        Reason.DENIED_BY_SESSION,
        Reason.NOT_ALLOWED,
        Reason.NOT_ALLOWED_LOCAL,
        Reason.METHOD_NOT_ALLOWED,
        Reason.SNI_MISMATCH,
        Reason.HOST_MISMATCH,
    }
)


class CloseReason(StrEnum):
    """Why a connection that carried bytes ended (`netproxy.close.reason`)."""

    FINISHED = "finished"  # both sides said all they had to say
    RESET = "reset"  # one side broke off
    IDLE = "idle"
    LIFETIME = "lifetime"  # it was open for as long as one may be
    BYTE_LIMIT = "byte_limit"  # it, its run, or the yes that carried it moved as much as may be
    SNI_MISMATCH = "sni_mismatch"  # the client's TLS asks for another name
    HOST_MISMATCH = "host_mismatch"  # or its plain request does
    REVOKED = "revoked"  # the yes that carried it was taken back
    GRANT_EXPIRED = "grant_expired"  # the time of the yes that carried it is over
    POLICY_CHANGED = "policy_changed"  # the policy in force no longer lets it through
    RUN_CANCELLED = "run_cancelled"
    RUN_ENDED = "run_ended"


class Sni(StrEnum):
    """What becomes of a tunnel whose TLS asks for another name than it was opened for."""

    REFUSE = "refuse"
    RECORD = "record"


class OnDenial(StrEnum):
    """What a refusal does to the run besides refusing the connection."""

    CANCEL = "cancel"
    BLOCK = "block"


class Destination(NamedTuple):
    """Where a client wants to go, canonical and not yet resolved.

    A tuple, because it is looked up several times for each request: one hashes itself in C.

    `host` is an A-label name in lower case without a trailing dot, a dotted quad, or compressed
    IPv6 without brackets. `port` is 1 to 65535.
    """

    host: str
    port: int
    protocol: Protocol

    @property
    def authority(self) -> str:
        """`host:port` as a URL spells it (RFC 3986 section 3.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.protocol}://{self.authority}"


class Request(NamedTuple):
    """One thing that a client asked for, whichever protocol carried it.

    A tuple, too: there is one for each request, and it is made in half the time of the others here.
    """

    destination: Destination
    method: str  # "GET", "CONNECT"; "none" where the protocol has no methods
    connection_id: ConnectionId
    client_address: str  # "ip:port", or "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the policy alone says of a request, and how it would explain that to a person."""

    verdict: Verdict
    source: Source
    reason: Reason
    explanation: str  # one clause: "no rule matches pypi.org:443"
    rule: str | None  # the rule that decided, as it was written, with where; None without one
    hint: str | None = None  # the smallest flag that would flip a refusal; None if none would
    on_denial: OnDenial | None = None  # what the rule itself says; None leaves it to the run


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was finally done with a request: the thing that is recorded, answered and obeyed."""

    allowed: bool
    source: Source
    reason: Reason
    message: str  # one sentence for the client and the person who started the command
    rule: str | None = None
    hint: str | None = None
    approval_id: ApprovalId | None = None
    override: bool = False  # a reviewer's yes that replaced a baseline miss
    cancels: bool = False
    retry_after_seconds: int | None = None
    status: int | None = None  # of HTTP, where the reason has another one
