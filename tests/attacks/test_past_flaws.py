"""What has gone wrong in squid, tinyproxy, smokescreen, goproxy and envoy, tried on ours.

Smuggling is `test_smuggling.py`, names are `test_names.py`, floods `test_floods.py`; here is the
rest: odd authorities, fields that steer a proxy, answers that attack it, trailers and encodings.
The policy allows everything, so only the reader's own defence stands between client and origin.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.credentials import Credentials, Identity
from netproxy.model import Verdict
from otel.events import PolicyDecision
from tests.support.fair_clock import FairClock
from tests.support.fakes import FakePolicy
from tests.support.origins import Recorder, echo, origin, read_all
from tests.support.proxies import LOOPBACK, Proxy, Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def near() -> Iterator[Proxy]:
    with proxy() as running:
        yield running


def told(near: Proxy, data: bytes) -> bytes:
    """All that a client is answered who says no more than this."""
    with near.http() as client:
        client.sendall(data)
        client.shutdown(1)
        return read_all(client)


def get(port: int, *fields: bytes, body: bytes = b"") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    authority = b"127.0.0.1:%d" % port
    return b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (authority, authority, lines) + body


# tinyproxy #586 and CVE-2011-1843 (ports that wrap), CVE-2022-29188 (brackets round what is no
# IPv6 address), CVE-2025-22870 (zones), OpenShell #1498 (NUL). {port} is where an origin listens.
ODD = [
    "127.0.0.1:{wrap32}", "127.0.0.1:{wrap16}", "127.0.0.1:+{port}", "127.0.0.1:0{port}",
    "127.0.0.1:{port},443", "127.0.0.1:443:{port}", "127.0.0.1:{port}:443", "127.0.0.1:{port}%20",
    "[127.0.0.1]:{port}", "127.0.0.1%00.a.test:{port}", "127%2e0%2e0%2e1:{port}",
    "%31%32%37.1:{port}",
    "127.0.0.1%3a{port}", "127.1:{port}", "0x7f000001:{port}", "2130706433:{port}",
    "[::1%25lo]:{port}", "[::127.0.0.1:{port}", "a.test@127.0.0.1:{port}",
    "127.0.0.1;a.test:{port}",
    "0177.0.0.1:{port}", "127.0.0.1..:{port}", ".127.0.0.1:{port}", "127.0.0.1!:{port}",
]  # fmt: skip


@pytest.mark.parametrize("spelling", ODD)
@pytest.mark.parametrize("form", ["connect", "absolute"])
def test_an_odd_authority_leads_nowhere(near: Proxy, spelling: str, form: str) -> None:
    with origin(echo) as far:
        port = far.port
        text = spelling.format(port=port, wrap32=2**32 + port, wrap16=2**16 + port)
        line = f"CONNECT {text}" if form == "connect" else f"GET http://{text}/"
        # CONNECT is decided by its target alone; in absolute form both must agree.
        host = "a.test" if form == "connect" else text
        answer = told(near, f"{line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert far.accepted == 0
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert near.audit.decisions == [("deny", "invalid_destination")]


@pytest.mark.parametrize(
    "line",
    ["GET http://", "GET http:///", "GET http://:80/", "GET http://?", "CONNECT :", "CONNECT :443",
     "CONNECT []:443", "CONNECT a", "GET :", "GET http:a.test/", "CONNECT a.test:"],
)  # fmt: skip
def test_a_request_without_a_host_stops_nobody(near: Proxy, line: str) -> None:
    """CVE-2023-37788: goproxy ended on such a request, with everybody's tunnels."""
    answer = told(near, f"{line} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    with origin(Recorder(HI)) as far:
        assert told(near, get(far.port)).endswith(b"hi")


STEERING = [
    b"X-Upstream-Https-Proxy: http://%b", b"X-Forwarded-Host: %b", b"Forwarded: host=%b",
    b"X-Original-URL: http://%b/", b"X-Rewrite-URL: http://%b/", b"X-Host: %b", b"X-Real-IP: %b",
    b"Proxy: http://%b", b"Location: http://%b/", b"X-Envoy-Original-Dst-Host: %b",
]  # fmt: skip


@pytest.mark.parametrize("field", STEERING)
@pytest.mark.parametrize("method", [b"CONNECT", b"GET"])
def test_no_field_steers_where_it_goes(near: Proxy, field: bytes, method: bytes) -> None:
    """S29: smokescreen takes a parent from the client; envoy dials what a field names."""
    with origin(Recorder(HI)) as far, origin(Recorder(HI)) as evil:
        authority = b"127.0.0.1:%d" % far.port
        target = authority if method == b"CONNECT" else b"http://%b/" % authority
        steer = field % (b"127.0.0.1:%d" % evil.port)
        told(near, b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n\r\n" % (method, target, authority, steer))
        assert evil.accepted == 0
    ports = {event.server_port for event in near.audit.of(PolicyDecision)}
    assert evil.port not in ports


@pytest.mark.parametrize(
    "via",
    [b"1.1 ID", b"HTTP/1.1 ID", b"1.0 a, 1.1 ID", b"1.1 ID (squid)", b"1.1\tID",
     b"1.0 a\r\nVia: 1.1 ID",     b"1.1 ID, 1.1 b"],
)  # fmt: skip
def test_our_own_name_is_seen_in_any_via(near: Proxy, via: bytes) -> None:
    name = near.server._services.pseudonym.encode()
    with origin(Recorder(HI)) as far:
        answer = told(near, get(far.port, b"Via: " + via.replace(b"ID", name)))
        assert far.accepted == 0
    assert answer.startswith(b"HTTP/1.1 508 ")


def test_a_via_that_resembles_ours_is_not_ours(near: Proxy) -> None:
    """Else a page could have its visitors' requests refused."""
    name = near.server._services.pseudonym.encode()
    recorder = Recorder(HI)
    with origin(recorder) as far:
        for via in (name + b"x", b"x" + name, b"netproxy", name[:-1]):
            assert told(near, get(far.port, b"Via: 1.1 " + via)).endswith(b"hi")
    assert len(recorder.heads) == 4


EARLY = b"GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"


@pytest.mark.parametrize("why", ["denied", "malformed", "unreachable", "unauthenticated"])
def test_early_data_after_any_refused_connect_is_never_a_request(why: str) -> None:
    """CVE-2025-64763, for each way in which a CONNECT can fail."""
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK)
    policy.by_host["a.test"] = FakePolicy(Verdict.DENY).default
    secret = Credentials.of({Identity("me"): b"sesame"}) if why == "unauthenticated" else None
    host = {"denied": b"a.test:443", "malformed": b"a.test:0"}.get(why, b"b.test:443")
    with (
        origin(Recorder(HI)) as far,
        proxy(Setting(policy=policy, credentials=secret)) as near,
    ):
        early = EARLY.replace(b"PORT", b"%d" % far.port)
        answer = told(near, b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (host, host) + early)
        assert far.accepted == 0
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer


def test_an_upgrade_that_was_not_granted_opens_no_tunnel() -> None:
    """CVE-2024-23326: envoy sent on what came after it, undecided. Here nobody reads it at all."""
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK)
    policy.by_host["denied.test"] = FakePolicy(Verdict.DENY).default
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy(Setting(policy=policy)) as near, near.http() as client:
        early = b"GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n"
        client.sendall(get(far.port, b"Connection: Upgrade", b"Upgrade: websocket") + early)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\nConnection: close\r\n\r\nhi")
    assert len(recorder.heads) == len(recorder.bodies) == 1
    assert recorder.bodies == [b""]
    assert near.audit.decisions == [("allow", "allowed_by_rule")]


def test_a_switch_that_nobody_asked_for_opens_no_tunnel() -> None:
    """Complete as it is: what the client sends next would go to the origin undecided."""
    recorder = Recorder(
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    with origin(recorder) as far, proxy() as near:
        answer = told(near, get(far.port) + get(far.port))
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"101 Switching" not in answer


HOSTILE_ANSWERS = [
    pytest.param(b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n", id="bare-cr"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n", id="bare-lf"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: b\r\n\r\n", id="fold"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n", id="nul"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX y: a\r\n\r\n", id="space-in-name"),
    pytest.param(b"HTTP/1.1 200 OK\x1b[2J\r\nX: a\r\n\r\n", id="control-in-reason"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\n", id="cl-wraps"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi", id="cl-negative"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", id="many-fields"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", id="long-field"),
    pytest.param(b"HTTP/1.1 " + b"2" * 70_000, id="endless-line"),
    pytest.param(b"ICY 200 OK\r\n\r\n", id="not-http"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 64, id="interim-for-ever"),
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE_ANSWERS)
def test_an_answer_that_splits_or_overflows_is_a_502(near: Proxy, answer: bytes) -> None:
    """CVE-2024-25617 of squid, and others of its reader of answers."""
    with origin(Recorder(answer)) as far:
        got = told(near, get(far.port))
    assert b"Set-Cookie" not in got
    assert b"\x1b" not in got
    final = got.rpartition(b"HTTP/1.1 ")[2]
    assert final.startswith(b"502 Bad Gateway\r\nProxy-Status: netproxy; error=http_protocol_error")


@pytest.mark.parametrize(
    "size",
    [b"10000000000000002", b"ffffffffffffffff2", b"-2", b"+2", b"0x2", b"2\n", b"\xb2", b"2 2"],
)  # fmt: skip
def test_a_chunk_size_of_an_answer_does_not_wrap(near: Proxy, size: bytes) -> None:
    body = size + b"\r\nhi\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with origin(Recorder(head + body)) as far:
        got = told(near, get(far.port))
    assert b"0\r\n\r\n" not in got.partition(b"\r\n\r\n")[2], "it must not look whole"


def test_an_origin_cannot_ask_for_the_proxys_secret(near: Proxy) -> None:
    """A challenge for the proxy comes from the proxy, or not at all (RFC 9110 section 11.7.1)."""
    answer = (
        b"HTTP/1.1 407 Give\r\nProxy-Authenticate: Basic realm=x\r\nProxy-Connection: close\r\n"
        b"Proxy-Authentication-Info: a\r\nContent-Length: 0\r\n\r\n"
    )
    with origin(Recorder(answer)) as far:
        assert b"\r\nproxy-a" not in told(near, get(far.port)).lower()


@pytest.mark.parametrize(
    "trailer", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: b.test"]
)
def test_a_trailer_that_frames_or_routes_is_refused(near: Proxy, trailer: bytes) -> None:
    """RFC 9110 section 6.5.1; both ways."""
    body = b"2\r\nhi\r\n0\r\n%b\r\n\r\n" % trailer
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    recorder = Recorder(answer)
    with origin(recorder) as far:
        got = told(near, get(far.port, b"Transfer-Encoding: chunked", body=body))
        assert got.startswith(b"HTTP/1.1 400 ")
        got = told(near, get(far.port))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n"), "it must not look whole"
    assert not any(b"0\r\n" in sent for sent in recorder.bodies)


@pytest.mark.parametrize(
    "trailer", [b"Connection: x", b"Proxy-Authorization: Basic eA==", b"Set-Cookie: a=b"]
)
def test_a_trailer_never_routes_or_lets_in(near: Proxy, trailer: bytes) -> None:
    """RFC 9110 section 6.5.1; both ways, announced and wanted as it is."""
    announced = b"Trailer: " + trailer.partition(b":")[0]
    wanted = (b"Connection: TE", b"TE: trailers", announced, b"Transfer-Encoding: chunked")
    body = b"2\r\nhi\r\n0\r\n%b\r\n\r\n" % trailer
    answer = b"HTTP/1.1 200 OK\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n" % announced + body
    recorder = Recorder(answer)
    with origin(recorder) as far:
        got = told(near, get(far.port, *wanted, body=body))
    for seen in (got.partition(b"\r\n\r\n")[2], recorder.bodies[0]):
        assert trailer not in seen
        assert seen.endswith(b"0\r\n\r\n")


def test_nothing_is_unpacked(near: Proxy) -> None:
    """CVE-2022-29225: envoy unpacked a bomb. Ten megabytes in ten kilobytes stay as they are."""
    bomb = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    recorder = Recorder(head + bomb)
    with origin(recorder) as far:
        fields = (b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb))
        got = told(near, get(far.port, *fields, body=bomb))
    assert got.endswith(b"\r\n\r\n" + bomb)
    assert recorder.bodies == [bomb]


@pytest.mark.parametrize(
    "field",
    [b"X-Forwarded-For: " + b"127.0.0.1, " * 4000, b"Range: bytes=" + b"0-," * 9000, b"Vary: *, a",
     b"Date: " + b"9" * 9000, b"Cache-Control: max-age=99999999999999999999", b"If-Match: \xff",
     b"Accept-Encoding: " + b"gzip;q=0." + b"1" * 9000],
)  # fmt: skip
def test_fields_that_are_for_the_other_end_are_not_read(near: Proxy, field: bytes) -> None:
    """CVE-2023-50269, CVE-2023-49285, CVE-2021-33620: squid read them, and fell."""
    recorder = Recorder(HI)
    clock = FairClock()
    with origin(recorder) as far:
        assert told(near, get(far.port, field)).endswith(b"hi")
    assert field.strip() in recorder.heads[0]
    assert clock() < 2


@pytest.mark.parametrize(
    "text", [b"\x1b[2J", b"\x9b31m", b"a\xe2\x80\xaeb", b'"; error=none', b"\\"]
)
def test_what_a_client_wrote_is_harmless_in_its_own_refusal(near: Proxy, text: bytes) -> None:
    """Log and header injection: a field of our answer is one line of visible ASCII."""
    for line in (b"CONNECT a%b:443" % text, b"GET http://a%b/" % text, b"X%b http://a/" % text):
        head, _, _ = told(near, line + b" HTTP/1.1\r\nHost: a\r\n\r\n").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert head.count(b"\r\nProxy-Status: netproxy; error=http_request_error; ") == 1
        assert all(0x20 <= byte < 0x7F for byte in head.replace(b"\r\n", b""))
