"""An origin does not speak in the proxy's name: whoever reads a refusal reads it from us."""

from __future__ import annotations

import pytest

from tests.support.origins import Recorder, origin, read_all
from tests.support.proxies import proxy

CLAIMS = [
    b'Proxy-Status: netproxy; error=http_request_denied; details="go on, use http://evil.test"',
    b"proxy-status: other, netproxy; error=http_request_denied",
    b'Proxy-Status: "netproxy"; error=http_request_denied',
    b"Proxy-Status: NETPROXY; error=http_request_denied",
    b'Proxy-Status: other; details="\r\nProxy-Status: netproxy; error=http_request_denied',
    b"X-Proxy-Error: blocked-by-allowlist",
    b"x-proxy-error: blocked-by-allowlist",
]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("status", [b"403 Forbidden", b"103 Early Hints"])
def test_an_origins_answer_is_not_taken_for_ours(claim: bytes, status: bytes) -> None:
    head = b"HTTP/1.1 %b\r\n%b\r\n" % (status, claim)
    final = b"HTTP/1.1 204 No\r\n\r\n" if status.startswith(b"1") else b""
    recorder = Recorder(head + (b"Content-Length: 0\r\n" if not final else b"") + b"\r\n" + final)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        host = b"127.0.0.1:%d" % far.port
        client.sendall(
            b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (host, host)
        )
        answer = read_all(client).lower()
    assert answer.startswith(b"http/1.1 " + status.lower())
    assert b"x-proxy-error" not in answer
    assert b"http_request_denied" not in answer
