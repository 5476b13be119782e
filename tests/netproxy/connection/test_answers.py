"""The refusal table of the design, as bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netproxy.connection.answers import (
    Asked,
    failure,
    malformed,
    refusal,
    socks_reply,
    unauthenticated,
)
from netproxy.errors import Failure, SocksReply
from netproxy.model import (
    ApprovalId,
    ConnectionId,
    Decision,
    Destination,
    Protocol,
    Reason,
    Source,
)

WHERE = Destination(host="a.test", port=443, protocol=Protocol.HTTPS)


def asked(method: str = "CONNECT", *, keeps_alive: bool = False) -> Asked:
    return Asked(
        request_id=ConnectionId("c-1"), destination=WHERE, method=method, keeps_alive=keeps_alive
    )


def denied(
    reason: Reason, message: str = "no rule matches", retry_after_seconds: int | None = None
) -> Decision:
    return Decision(
        allowed=False,
        source=Source.BASELINE_POLICY,
        reason=reason,
        message=message,
        hint="--allow a.test:443",
        approval_id=ApprovalId("a-1"),
        retry_after_seconds=retry_after_seconds,
    )


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("ascii").split("\r\n")
    return int(line.split()[1]), dict(field.split(": ", 1) for field in fields), body


def test_the_whole_refusal() -> None:
    status, fields, body = parsed(refusal(denied(Reason.NOT_ALLOWED), asked()))
    assert status == 403
    assert fields == {
        "Proxy-Status": 'netproxy; error=http_request_denied; details="no rule matches"',
        "X-Proxy-Error": "blocked-by-allowlist",
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    assert json.loads(body) == {
        "status": "blocked",
        "host": "a.test",
        "port": 443,
        "protocol": "https",
        "decision": "deny",
        "source": "baseline_policy",
        "reason": "not_allowed",
        "message": "no rule matches",
        "request_id": "c-1",
        "approval_id": "a-1",
        "hint": "--allow a.test:443",
    }


@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [
        (Reason.NOT_ALLOWED, 403, "blocked-by-allowlist"),
        (Reason.NOT_ALLOWED_LOCAL, 403, "blocked-by-allowlist"),
        (Reason.DENIED_BY_RULE, 403, "blocked-by-denylist"),
        (Reason.DENIED_BY_REVIEWER, 403, "blocked-by-reviewer"),
        (Reason.DENIED_BY_SESSION, 403, "blocked-by-reviewer"),
        (Reason.METHOD_NOT_ALLOWED, 403, "blocked-by-method-policy"),
        (Reason.INSPECTION_REQUIRED, 403, "blocked-by-inspection-required"),
        (Reason.APPROVAL_TIMEOUT, 403, "blocked-by-policy"),
        (Reason.AUDIT_UNAVAILABLE, 403, "blocked-by-policy"),
        (Reason.LIMIT_EXCEEDED, 429, "blocked-by-policy"),
        (Reason.INVALID_DESTINATION, 400, None),
    ],
)
def test_status_and_word(reason: Reason, status: int, word: str | None) -> None:
    got, fields, _ = parsed(refusal(denied(reason), asked()))
    assert (got, fields.get("X-Proxy-Error")) == (status, word)


def test_a_missing_secret_is_asked_for() -> None:
    """RFC 9110 section 15.5.8: a 407 has to say which schemes would do."""
    answer = unauthenticated(denied(Reason.LIMIT_EXCEEDED, "show a token"), asked())
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    assert lines[0] == "HTTP/1.1 407 Proxy Authentication Required"
    assert [line.split()[1] for line in lines if line.startswith("Proxy-Authenticate: ")] == [
        "Basic",
        "Bearer",
    ]
    assert json.loads(body)["reason"] == "unauthenticated"


def test_another_status_than_the_reasons_own() -> None:
    full = replace(denied(Reason.LIMIT_EXCEEDED, retry_after_seconds=1), status=503)
    status, fields, _ = parsed(refusal(full, asked()))
    assert (status, fields["Retry-After"]) == (503, "1")


def test_retry_after_and_keep_alive() -> None:
    answer = refusal(
        denied(Reason.APPROVAL_TIMEOUT, retry_after_seconds=15), asked("GET", keeps_alive=True)
    )
    _, fields, _ = parsed(answer)
    assert fields["Retry-After"] == "15"
    assert "Connection" not in fields


def test_details_are_a_structured_string_whatever_the_message_holds() -> None:
    """RFC 8941 section 3.3.3, and no message may end a header line."""
    answer = refusal(denied(Reason.NOT_ALLOWED, 'a "b" \\ c\r\nX: y \u202e'), asked())
    _, fields, body = parsed(answer)
    assert fields["Proxy-Status"].endswith('details="a \\"b\\" \\\\ c??X: y ?"')
    assert json.loads(body)["message"] == 'a "b" \\ c\r\nX: y \u202e'


def test_a_head_request_is_answered_without_content() -> None:
    _, fields, body = parsed(refusal(denied(Reason.NOT_ALLOWED), asked("HEAD")))
    assert body == b""
    assert int(fields["Content-Length"]) > 0


@pytest.mark.parametrize("problem", Failure)
def test_failures(problem: Failure) -> None:
    status, fields, body = parsed(failure(problem, "it did not answer", asked()))
    assert status == problem.value.status
    assert f"error={problem.value.proxy_status};" in fields["Proxy-Status"]
    assert json.loads(body)["status"] == "failed"
    assert json.loads(body)["decision"] == "allow"
    assert "X-Proxy-Error" not in fields


@pytest.mark.parametrize("status", [400, 405, 408, 414, 431, 501, 505, 508])
def test_malformed(status: int) -> None:
    nowhere = Asked(
        request_id=ConnectionId("c-1"), destination=None, method="none", keeps_alive=False
    )
    got, fields, body = parsed(malformed(status, "so not", nowhere))
    assert got == status
    assert fields["Connection"] == "close"
    assert json.loads(body)["host"] is None
    assert ("Allow" in fields) is (status == 405)


@pytest.mark.parametrize(
    ("outcome", "reply"),
    [
        (denied(Reason.NOT_ALLOWED), SocksReply.NOT_ALLOWED),
        (denied(Reason.LIMIT_EXCEEDED), SocksReply.GENERAL_FAILURE),
        (denied(Reason.INVALID_DESTINATION), SocksReply.GENERAL_FAILURE),
        (Failure.DNS_ERROR, SocksReply.HOST_UNREACHABLE),
        (Failure.CONNECTION_REFUSED, SocksReply.CONNECTION_REFUSED),
        (Failure.CONNECTION_TIMEOUT, SocksReply.TTL_EXPIRED),
        (Failure.NETWORK_UNREACHABLE, SocksReply.NETWORK_UNREACHABLE),
    ],
)
def test_socks_replies(outcome: Decision | Failure, reply: SocksReply) -> None:
    assert socks_reply(outcome) is reply
