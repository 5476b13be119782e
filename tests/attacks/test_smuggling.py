"""One message must never be read as two, by us or by whoever reads after us.

The defence: every ambiguity of RFC 9112 section 11.2 is refused before a decision is made, framing
is made anew on the way, and what follows a refused CONNECT is never parsed. Each row is sent to a
running proxy that allows everything; the origin must not see a thing.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from netproxy.model import Verdict
from tests.support.fakes import FakePolicy
from tests.support.origins import Recorder, origin, read_all
from tests.support.proxies import LOOPBACK, Setting, proxy

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

CONNECT = b"CONNECT AUTH HTTP/1.1\r\nHost: AUTH\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

# Authority is written AUTH, and takes the running origin's address.
REFUSED = [
    ("r1-no-host", b"GET http://AUTH/ HTTP/1.1\r\n\r\n", 400),
    ("r2-two-hosts", b"GET http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\nHost: AUTH\r\n\r\n", 400),
    ("r2-hidden-host", b"GET http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\nhOST: b\r\n\r\n", 400),
    ("r3-host-list", b"GET http://AUTH/ HTTP/1.1\r\nHost: AUTH, b.test\r\n\r\n", 400),
    ("r3-empty-host", b"GET http://AUTH/ HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("r3-host-space", b"GET http://AUTH/ HTTP/1.1\r\nHost: AUTH b\r\n\r\n", 400),
    ("r4-other-host", b"GET http://AUTH/ HTTP/1.1\r\nHost: b.test\r\n\r\n", 400),
    ("r5-origin-form", b"GET / HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r6-asterisk", b"OPTIONS * HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r7-https", b"GET https://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r8-ftp", b"GET ftp://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r8-file", b"GET file:///etc/passwd HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r8-ws", b"GET ws://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r9-userinfo", b"GET http://ok.test@AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-fragment", b"GET http://AUTH/#x HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-fragment-host", b"GET http://AUTH#@ok.test/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-backslash", b"GET http://AUTH\\@ok.test/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-space", b"GET http://AUTH/a b HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-nul", b"GET http://AUTH/\0 HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r10-non-ascii", b"GET http://AUTH/\xc3\xa4 HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r11-tab", b"GET\thttp://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r11-two-spaces", b"GET  http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r11-trailing-space", b"GET http://AUTH/ HTTP/1.1 \r\nHost: AUTH\r\n\r\n", 400),
    ("r12-http2", b"GET http://AUTH/ HTTP/2.0\r\nHost: AUTH\r\n\r\n", 505),
    ("r12-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("r12-http1.9", b"GET http://AUTH/ HTTP/1.9\r\nHost: AUTH\r\n\r\n", 505),
    ("r13-http0.9", b"GET http://AUTH/\r\n", 400),
    ("r14-empty-lines", b"\r\n\r\n\r\nGET http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r16-method", b"G(T http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r50-trace", b"TRACE http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n", 405),
    ("r64-no-port", b"CONNECT ok.test HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r65-path", b"CONNECT AUTH/x HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r65-scheme", b"CONNECT http://AUTH HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r66-zone", b"CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\nHost: AUTH\r\n\r\n", 400),
    ("r68-length", CONNECT + b"Content-Length: 3\r\n\r\nabc", 400),
    ("r68-chunked", CONNECT + b"Transfer-Encoding: chunked\r\n\r\n", 400),
]  # fmt: skip

FIELDS = [
    ("cl-te", b"Content-Length: 3\r\nTransfer-Encoding: chunked", 400),
    ("te-cl", b"Transfer-Encoding: chunked\r\nContent-Length: 3", 400),
    ("cl-cl", b"Content-Length: 3\r\nContent-Length: 3", 400),
    ("cl-list", b"Content-Length: 3, 3", 400),
    ("cl-sign", b"Content-Length: +3", 400),
    ("cl-hex", b"Content-Length: 0x3", 400),
    ("cl-space", b"Content-Length: 1 2", 400),
    ("cl-empty", b"Content-Length:", 400),
    ("cl-huge", b"Content-Length: 18446744073709551619", 400),
    ("te-gzip", b"Transfer-Encoding: gzip", 400),
    ("te-gzip-chunked", b"Transfer-Encoding: gzip, chunked", 501),
    ("te-twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
    ("te-identity", b"Transfer-Encoding: identity", 400),
    ("te-xchunked", b"Transfer-Encoding: xchunked", 400),
    ("te-vt", b"Transfer-Encoding: \x0bchunked", 400),
    ("te-space", b"Transfer-Encoding : chunked", 400),
    ("te-fold", b"Transfer-Encoding:\r\n chunked", 400),
    ("te-quoted", b'Transfer-Encoding: "chunked"', 400),
    ("te-1.0", b"Transfer-Encoding: chunked", 400),
    ("obs-fold", b"X: a\r\n b", 400),
    ("bare-lf", b"X: a\nContent-Length: 3", 400),
    ("bare-cr", b"X: a\rContent-Length: 3", 400),
    ("nul", b"X: a\0", 400),
    ("name-space", b"X y: a", 400),
    ("name-empty", b": a", 400),
    ("no-colon", b"X", 400),
    ("connection-host", b"Connection: host", 400),
    ("connection-length", b"Connection: content-length\r\nContent-Length: 3", 400),
    ("connection-te", b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", 400),
    ("connection-connection", b"Connection: connection", 400),
]

ROWS = [pytest.param(data, status, id=name) for name, data, status in REFUSED] + [
    pytest.param(
        b"POST http://AUTH/ HTTP/1.%d\r\nHost: AUTH\r\n%b\r\n\r\nabc" % ("1.0" not in name, fields),
        status,
        id=name,
    )
    for name, fields, status in FIELDS
]


@pytest.mark.parametrize(("data", "status"), ROWS)
def test_ambiguity_is_refused_and_the_origin_sees_nothing(data: bytes, status: int) -> None:
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        smuggled = b"GET http://AUTH/smuggled HTTP/1.1\r\nHost: AUTH\r\n\r\n"
        authority = f"127.0.0.1:{far.port}".encode()
        client.sendall((data + smuggled).replace(b"AUTH", authority))
        answered = read_all(client)
        assert far.accepted == 0
    assert answered.startswith(b"HTTP/1.1 %d " % status)
    assert answered.count(b"Proxy-Status: ") == 1
    assert near.audit.decisions == [("deny", "invalid_destination")]


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabc\r\n0\r\n\r\n",
        b'3;x="\r\n"\r\nabc\r\n0\r\n\r\n',
        b"3\nabc\n0\n\n",
        b"3\r\nabc0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0000000000000000000003\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"0\r\nX: 1\n\r\n\r\n",
    ],
)  # fmt: skip
def test_no_framing_of_the_clients_reaches_the_origin(body: bytes) -> None:
    """Whatever chunks came in, what goes out is ours, or nothing that counts as whole."""
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        authority = f"127.0.0.1:{far.port}".encode()
        head = b"POST http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\nTransfer-Encoding: chunked\r\n\r\n"
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: AUTH\r\nConnection: close\r\n\r\n"
        client.sendall((head + body + smuggled).replace(b"AUTH", authority))
        read_all(client)
    for received in recorder.bodies:
        assert received in {b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n", b"", b"0\r\n\r\n"}
    assert not any(b"smuggled" in head for head in recorder.heads)


def test_r69_what_follows_a_refused_connect_is_never_a_request() -> None:
    """CVE-2025-64763 class: early tunnel bytes must not be read as the next request."""
    recorder = Recorder(HI)
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK)
    policy.by_host["denied.test"] = FakePolicy(Verdict.DENY).default
    with origin(recorder) as far, proxy(Setting(policy=policy)) as near, near.http() as client:
        authority = f"127.0.0.1:{far.port}".encode()
        client.sendall(
            b"CONNECT denied.test:443 HTTP/1.1\r\nHost: denied.test:443\r\n\r\n"
            b"GET http://AUTH/ HTTP/1.1\r\nHost: AUTH\r\n\r\n".replace(b"AUTH", authority)
        )
        assert read_all(client).count(b"HTTP/1.1 ") == 1
        assert far.accepted == 0
    assert near.audit.decisions == [("deny", "denied_by_rule")]


def test_what_follows_a_denied_upload_is_never_a_request() -> None:
    """The body was not read, so nobody knows where the next request begins."""
    policy = FakePolicy(Verdict.DENY)
    with proxy(Setting(policy=policy)) as near, near.http() as client:
        client.sendall(
            b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 500\r\n\r\n"
            b"GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n"
        )
        assert read_all(client).count(b"HTTP/1.1 ") == 1
    assert len(near.audit.decisions) == 1


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + EVIL,
        b"HTTP/1.1 204 No\r\nContent-Length: 40\r\n\r\n" + EVIL,
        b"HTTP/1.1 304 No\r\n\r\n" + EVIL,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\nevil",
    ],
)  # fmt: skip
def test_an_origin_cannot_answer_the_next_request(response: bytes) -> None:
    """Response splitting: bytes after a response belong to nobody."""
    bait = Recorder(HI)
    with (
        origin(Recorder(response)) as far,
        origin(bait) as good,
        proxy() as near,
        near.http() as client,
    ):
        for port in (far.port, good.port):
            url = f"http://127.0.0.1:{port}/"
            client.sendall(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        client.settimeout(0.2)
        answered = b""
        with suppress(TimeoutError):
            while data := client.recv(65536):
                answered += data
    assert b"evil" not in answered


def test_s27_a_loop_is_cut_at_the_second_pass() -> None:
    with proxy() as near, near.http() as client:
        port = near._http_port
        url = f"http://127.0.0.1:{port}/"
        inner = (
            f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nVia: 1.1 {pseudonym(near)}\r\n\r\n"
        )
        client.sendall(inner.encode())
        assert read_all(client).startswith(b"HTTP/1.1 508 ")


def pseudonym(near: object) -> str:
    name: str = near.server._services.pseudonym  # type: ignore[attr-defined]  # under the hood
    return name
