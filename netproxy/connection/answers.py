"""Every answer that the proxy gives in its own name (design section 10): pure bytes.

A refusal, an upstream failure and a malformed request each have one form for HTTP and one for
SOCKS. Answers of origins pass elsewhere (`protocol.http1_forward`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netproxy.connection.authorization import CHALLENGES
from netproxy.errors import SocksReply
from netproxy.model import Reason
from otel.values import dataclass

if TYPE_CHECKING:
    from netproxy.errors import Failure
    from netproxy.model import ConnectionId, Decision, Destination

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    508: "Loop Detected",
}

# Short words for tools that read only this field; the rest of the reasons are "policy".
_PROXY_ERRORS = {
    Reason.NOT_ALLOWED: "blocked-by-allowlist",
    Reason.NOT_ALLOWED_LOCAL: "blocked-by-allowlist",
    Reason.DENIED_BY_RULE: "blocked-by-denylist",
    Reason.DENIED_BY_REVIEWER: "blocked-by-reviewer",
    Reason.DENIED_BY_SESSION: "blocked-by-reviewer",
    Reason.METHOD_NOT_ALLOWED: "blocked-by-method-policy",
    Reason.INSPECTION_REQUIRED: "blocked-by-inspection-required",
}

# Every other refusal is a 403 http_request_denied.
_STATUSES = {
    Reason.INVALID_DESTINATION: (400, "http_request_error"),
    Reason.LIMIT_EXCEEDED: (429, "connection_limit_reached"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an answer is about. `destination` is None where none could be read."""

    request_id: ConnectionId
    destination: Destination | None
    method: str
    keeps_alive: bool


def refusal(decision: Decision, asked: Asked) -> bytes:
    """Answer no, with everything that helps to turn it into a yes."""
    status, error = _STATUSES.get(decision.reason, (403, "http_request_denied"))
    status = decision.status or status
    fields = [_proxy_status(error, decision.message)]
    if decision.reason is not Reason.INVALID_DESTINATION:
        word = _PROXY_ERRORS.get(decision.reason, "blocked-by-policy")
        fields.append(f"X-Proxy-Error: {word}")
    if decision.retry_after_seconds is not None:
        fields.append(f"Retry-After: {decision.retry_after_seconds}")
    body = _body(
        asked,
        status="blocked",
        decision="deny",
        source=decision.source.value,
        reason=decision.reason.value,
        message=decision.message,
        approval_id=decision.approval_id,
        hint=decision.hint,
    )
    return _answer(status, fields, body, asked)


def failure(problem: Failure, message: str, asked: Asked) -> bytes:
    """Answer that the destination was allowed but could not be reached."""
    wire = problem.value
    body = _body(
        asked,
        status="failed",
        decision="allow",
        source="upstream",
        reason=wire.proxy_status,
        message=message,
        approval_id=None,
        hint=None,
    )
    return _answer(wire.status, [_proxy_status(wire.proxy_status, message)], body, asked)


def unauthenticated(decision: Decision, asked: Asked) -> bytes:
    """Answer a client whose secret is missing, or nobody's (RFC 9110 section 15.5.8)."""
    body = _body(
        asked,
        status="blocked",
        decision="deny",
        source=decision.source.value,
        reason="unauthenticated",
        message=decision.message,
        approval_id=None,
        hint=None,
    )
    fields = [_proxy_status("http_request_denied", decision.message), *CHALLENGES]
    return _answer(407, fields, body, asked)


def malformed(status: int, message: str, asked: Asked) -> bytes:
    """Answer what can't be read, or not by us; the connection closes."""
    error = "proxy_loop_detected" if status == 508 else "http_request_error"  # noqa: PLR2004 Loop
    fields = [_proxy_status(error, message)]
    if status == 405:  # noqa: PLR2004 RFC 9110 section 15.5.6: Allow is required
        fields.append("Allow: CONNECT, GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE")
    body = _body(
        asked,
        status="blocked",
        decision="deny",
        source="proxy_state",
        reason=Reason.INVALID_DESTINATION.value,
        message=message,
        approval_id=None,
        hint=None,
    )
    return _answer(status, fields, body, asked)


def socks_reply(outcome: Decision | Failure) -> SocksReply:
    """Choose the reply for a refusal (RFC 1928: not allowed by ruleset) or a failure."""
    from netproxy.errors import Failure

    if isinstance(outcome, Failure):
        return outcome.value.reply
    if outcome.reason in {Reason.INVALID_DESTINATION, Reason.LIMIT_EXCEEDED}:
        return SocksReply.GENERAL_FAILURE
    return SocksReply.NOT_ALLOWED


def _body(asked: Asked, *, status: str, **rest: str | None) -> bytes:
    import json

    where = asked.destination
    return (
        json.dumps(
            {
                "status": status,
                "host": where.host if where else None,
                "port": where.port if where else None,
                "protocol": where.protocol.value if where else None,
                **rest,
                "request_id": asked.request_id,
            }
        ).encode("ascii")
        + b"\n"
    )


def _answer(status: int, fields: list[str], body: bytes, asked: Asked) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_PHRASES.get(status, 'Error')}",
        *fields,
        "Content-Type: application/json",
        "Cache-Control: no-store",
        f"Content-Length: {len(body)}",
    ]
    if not asked.keeps_alive:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "\r\n"]).encode("ascii")
    # RFC 9110 section 9.3.2: a HEAD is answered without content, or the next answer is misread.
    return head if asked.method == "HEAD" else head + body


def _proxy_status(error: str, details: str) -> str:
    """RFC 9209; `details` is an sf-string (RFC 8941 section 3.3.3): visible ASCII, escaped."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in details)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'Proxy-Status: netproxy; error={error}; details="{escaped}"'
