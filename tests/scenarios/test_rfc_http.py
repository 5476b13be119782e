"""RFC 9110 and 9112 as a table: what a forward proxy has to do, sent to a running gateway.

A row is a duty: its section, what must hold, the bytes of the client, what the origin saw of them
and what came back. It is the index; the corners are tested where the code is mirrored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.hellos import hello, names
from tests.support.origins import origin
from tests.support.proxies import Proxy, proxy
from tests.support.rfc_rows import (
    ECHO,
    HI,
    HI_BACK,
    Answering,
    Row,
    converse,
    normal,
    open_gateway,
    plain,
    wire,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = "GET http://AUTH/ HTTP/1.1 ⏎ Host: AUTH"
POST = "POST http://AUTH/ HTTP/1.1 ⏎ Host: AUTH"
CONNECT = "CONNECT AUTH HTTP/1.1 ⏎ Host: AUTH"
ON = "GET / HTTP/1.1 ⏎ Host: AUTH ⏎ Via: 1.1 ID ⏎⏎"
POSTED = "POST / HTTP/1.1 ⏎ Host: AUTH ⏎ Via: 1.1 ID"
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = "Content-Length: 3"
ESTABLISHED = "HTTP/1.1 200 Connection established ⏎⏎"
NAMED = hello(names(b"a.test"))


def refused(section: str, holds: str, sent: str, status: int = 400) -> Row:
    return Row(section=section, holds=holds, sent=sent, got=(status,))


def says(word: str) -> re.Pattern[bytes]:
    return re.compile(word.encode())


PERSISTENCE = [
    Row(
        section="9112 9.3",
        holds="a connection serves one request after the other",
        sent=f"{GET} ⏎⏎ {GET} ⏎⏎",
        answers=(HI, HI),
        saw=ON + ON,
        got=HI_BACK + HI_BACK,
    ),
    Row(
        section="9112 9.3.2",
        holds="pipelined requests are answered in their order",
        sent=f"{GET.replace('/ HTTP', '/1 HTTP')} ⏎⏎ {GET.replace('/ HTTP', '/2 HTTP')} ⏎⏎",
        answers=("later " + HI.replace("hi", "1!"), HI.replace("hi", "2!")),
        saw=ON.replace("/ HTTP", "/1 HTTP") + ON.replace("/ HTTP", "/2 HTTP"),
        got=HI_BACK.replace("hi", "1!") + HI_BACK.replace("hi", "2!"),
    ),
    Row(
        section="9112 9.6",
        holds="after Connection: close nothing more is read",
        sent=f"{GET} ⏎ Connection: close ⏎⏎ {GET} ⏎⏎",
        saw=ON,
        got=HI_BACK.replace(" ⏎⏎", " ⏎ Connection: close ⏎⏎"),
    ),
    Row(
        section="9112 9.3",
        holds="no connection is kept with an HTTP/1.0 client, whatever it asks",
        sent="GET http://AUTH/ HTTP/1.0 ⏎ Connection: keep-alive ⏎⏎" + GET + " ⏎⏎",
        saw=ON.replace("Via: 1.1", "Via: 1.0"),
        got=HI_BACK.replace(" ⏎⏎", " ⏎ Connection: close ⏎⏎"),
    ),
    Row(
        section="9112 2.2",
        holds="an empty line before a request is skipped",
        sent=f"⏎ {GET} ⏎⏎",
        saw=ON,
    ),
    Row(
        section="9110 3.3",
        holds="each request on a connection is decided on its own",
        sent=f"{GET} ⏎⏎ GET http://denied.test/ HTTP/1.1 ⏎ Host: denied.test ⏎⏎ {GET} ⏎⏎",
        answers=(HI, HI),
        saw=ON + ON,
        got=(200, 403, 200),
    ),
]

FRAMING = [
    Row(
        section="9112 6.2",
        holds="a length is written anew",
        sent=f"{POST} ⏎ content-length: 003 ⏎⏎ abc",
        saw=f"{POSTED} ⏎ Content-Length: 3 ⏎⏎ abc",
    ),
    Row(
        section="9112 7.1",
        holds="chunks are written anew",
        sent=f"{POST} ⏎ Transfer-Encoding: Chunked ⏎⏎ 0003 ⏎abc⏎ 0 ⏎⏎".replace("0003 ", "0003"),
        saw=f"{POSTED} ⏎ Transfer-Encoding: chunked ⏎⏎3⏎abc⏎0⏎⏎",
    ),
    Row(
        section="9112 7.1.1",
        holds="chunk extensions go no further",
        sent=f'{POST} ⏎ Transfer-Encoding: chunked ⏎⏎3;a="b;c"⏎abc⏎0;d⏎⏎',
        saw=f"{POSTED} ⏎ Transfer-Encoding: chunked ⏎⏎3⏎abc⏎0⏎⏎",
    ),
    Row(
        section="9112 6.3",
        holds="an answer without a length comes in chunks",
        sent=f"{GET} ⏎⏎",
        answers=("HTTP/1.0 200 OK ⏎ Date: x ⏎⏎hi",),
        saw=ON,
        got="HTTP/1.1 200 OK ⏎ Date: x ⏎ Via: 1.0 ID ⏎ Transfer-Encoding: chunked ⏎⏎2⏎hi⏎0⏎⏎",
    ),
    Row(
        section="9112 7.1",
        holds="chunks of an answer are written anew",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=("HTTP/1.1 200 OK ⏎ Date: x ⏎ Transfer-Encoding: chunked ⏎⏎002;x⏎hi⏎00⏎⏎",),
        got="HTTP/1.1 200 OK ⏎ Date: x ⏎ Via: 1.1 ID ⏎ Transfer-Encoding: chunked ⏎⏎2⏎hi⏎0⏎⏎",
    ),
    Row(
        section="9112 6.1",
        holds="an HTTP/1.0 client gets no chunks",
        sent="GET http://AUTH/ HTTP/1.0 ⏎⏎",
        saw=ON.replace("Via: 1.1", "Via: 1.0"),
        answers=("HTTP/1.1 200 OK ⏎ Date: x ⏎ Transfer-Encoding: chunked ⏎⏎2⏎hi⏎0⏎⏎",),
        got="HTTP/1.1 200 OK ⏎ Date: x ⏎ Via: 1.1 ID ⏎ Connection: close ⏎⏎hi",
    ),
    Row(
        section="9110 9.3.2",
        holds="an answer to HEAD has no body and keeps its length",
        sent=GET.replace("GET", "HEAD") + " ⏎⏎",
        saw=ON.replace("GET", "HEAD"),
        answers=("HTTP/1.1 200 OK ⏎ Date: x ⏎ Content-Length: 7 ⏎⏎",),
        got="HTTP/1.1 200 OK ⏎ Date: x ⏎ Content-Length: 7 ⏎ Via: 1.1 ID ⏎⏎",
    ),
    Row(
        section="9110 15.3.5",
        holds="204 has neither body nor length",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=("HTTP/1.1 204 No Content ⏎ Date: x ⏎ Content-Length: 2 ⏎⏎hi",),
        got="HTTP/1.1 204 No Content ⏎ Date: x ⏎ Via: 1.1 ID ⏎⏎",
    ),
    Row(
        section="9110 15.4.5",
        holds="304 has no body and keeps its length",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=("HTTP/1.1 304 Not Modified ⏎ Date: x ⏎ Content-Length: 2 ⏎⏎",),
        got="HTTP/1.1 304 Not Modified ⏎ Date: x ⏎ Content-Length: 2 ⏎ Via: 1.1 ID ⏎⏎",
    ),
    Row(
        section="9110 15.2",
        holds="1xx come through before the answer",
        sent=f"{GET} ⏎⏎",
        answers=("HTTP/1.1 103 Early Hints ⏎ Link: a ⏎⏎" + HI,),
        saw=ON,
        got="HTTP/1.1 103 Early Hints ⏎ Link: a ⏎ Via: 1.1 ID ⏎⏎" + HI_BACK,
    ),
    Row(
        section="9110 15.2",
        holds="1xx are not sent to an HTTP/1.0 client",
        sent="GET http://AUTH/ HTTP/1.0 ⏎⏎",
        answers=("HTTP/1.1 103 Early Hints ⏎⏎" + HI,),
        saw=ON.replace("Via: 1.1", "Via: 1.0"),
        got=HI_BACK.replace(" ⏎⏎", " ⏎ Connection: close ⏎⏎"),
    ),
]

PASSED_ON = [
    Row(
        section="9112 3.2.2",
        holds="Host is made from the target",
        sent="GET http://AUTH/ HTTP/1.0 ⏎⏎",
        saw=ON.replace("Via: 1.1", "Via: 1.0"),
        got=HI_BACK.replace(" ⏎⏎", " ⏎ Connection: close ⏎⏎"),
    ),
    Row(
        section="9112 3.2.1",
        holds="the target goes on in origin form, byte for byte",
        sent=GET.replace("AUTH/", "AUTH/a%2Fb/..;x?y=%20&[") + " ⏎⏎",
        saw=ON.replace("/ ", "/a%2Fb/..;x?y=%20&[ ", 1),
    ),
    Row(
        section="9112 3.2.1",
        holds="an empty path is /",
        sent=GET.replace("AUTH/", "AUTH") + " ⏎⏎",
        saw=ON,
    ),
    Row(
        section="9112 3.2.4",
        holds="OPTIONS of a whole server is * at the last proxy",
        sent=GET.replace("GET", "OPTIONS").replace("AUTH/", "AUTH") + " ⏎⏎",
        saw=ON.replace("GET /", "OPTIONS *"),
    ),
    Row(
        section="9110 9.1",
        holds="a method that nobody knows goes on",
        sent=GET.replace("GET", "FROB") + " ⏎⏎",
        saw=ON.replace("GET", "FROB"),
    ),
    Row(
        section="9110 7.6.1",
        holds="fields for the next hop go, with those that Connection names",
        sent=f"{GET} ⏎ Connection: x-hop ⏎ X-Hop: 1 ⏎ Keep-Alive: a ⏎ TE: trailers ⏎ X-Stays: 1"
        " ⏎ Proxy-Connection: b ⏎ Trailer: c ⏎ Proxy-Authorization: Basic eA== ⏎⏎",
        saw=ON.replace("Via", "X-Stays: 1 ⏎ Via"),
    ),
    Row(
        section="9110 7.6.1",
        holds="on the way back too",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=(HI.replace("Date", "Connection: x-hop ⏎ X-Hop: 1 ⏎ Keep-Alive: a ⏎ Date"),),
    ),
    Row(
        section="9110 7.6.3",
        holds="Via is added behind those of others",
        sent=f"{GET} ⏎ Via: 1.0 other, 1.1 more ⏎⏎",
        saw=ON.replace("Via", "Via: 1.0 other, 1.1 more ⏎ Via"),
    ),
    Row(
        section="9110 7.6.3",
        holds="a request that has been here before is cut",
        sent=f"{GET} ⏎ Via: 1.1 other, 1.1 ID ⏎⏎",
        got=(508,),
    ),
    Row(
        section="9110 7.6.2",
        holds="Max-Forwards of OPTIONS counts down",
        sent=GET.replace("GET", "OPTIONS") + " ⏎ Max-Forwards: 3 ⏎⏎",
        saw=ON.replace("GET", "OPTIONS").replace("Via", "Max-Forwards: 2 ⏎ Via"),
    ),
    Row(
        section="9110 7.6.2",
        holds="at none left it goes no further",
        sent=GET.replace("GET", "OPTIONS") + " ⏎ Max-Forwards: 0 ⏎⏎",
        got=(501,),
    ),
    Row(
        section="9110 7.6.2",
        holds="other methods keep theirs",
        sent=f"{GET} ⏎ Max-Forwards: 0 ⏎⏎",
        saw=ON.replace("Via", "Max-Forwards: 0 ⏎ Via"),
    ),
    Row(
        section="9110 6.6.1",
        holds="a Date that is missing is added",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=("HTTP/1.1 200 OK ⏎ Content-Length: 0 ⏎⏎",),
        got=says(r"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"),
    ),
    Row(
        section="9110 5.5",
        holds="values are bytes, not text",
        sent=f"{GET} ⏎ X: \\xe4\\x80 ⏎⏎",
        saw=ON.replace("Via", "X: \\xe4\\x80 ⏎ Via"),
    ),
]

SWITCHED = "HTTP/1.1 101 Switching Protocols ⏎ Connection: Upgrade ⏎ Upgrade: websocket ⏎⏎"
UPGRADE = f"{GET} ⏎ Connection: Upgrade ⏎ Upgrade: websocket ⏎ Sec-WebSocket-Version: 13 ⏎⏎"
UPGRADED = f"{ON[:-3]} ⏎ Connection: Upgrade ⏎ Upgrade: websocket ⏎⏎"

UPGRADES = [
    refused("9110 7.8", "h2c", f"{GET} ⏎ Connection: Upgrade ⏎ Upgrade: h2c ⏎⏎"),
    Row(
        section="9110 7.8",
        holds="any other protocol goes no further, and the request is a plain one",
        sent=f"{GET} ⏎ Connection: Upgrade ⏎ Upgrade: x ⏎⏎",
        saw=ON,
    ),
    Row(
        section="6455 4.1",
        holds="a WebSocket that the origin does not want is its answer, and the end",
        sent=UPGRADE + GET + " ⏎⏎",
        saw=UPGRADED.replace("Via", "Sec-WebSocket-Version: 13 ⏎ Via"),
        got=(200,),
    ),
    Row(
        section="6455 4.1",
        holds="after 101 it is a tunnel",
        sent=UPGRADE + "early",
        answers=(SWITCHED,),
        saw=UPGRADED.replace("Via", "Sec-WebSocket-Version: 13 ⏎ Via"),
        got=re.compile(rb"\AHTTP/1\.1 101 (?s:.)*\r\nUpgrade: websocket\r\n"),
    ),
]

AMBIGUOUS = [
    refused("9112 6.3", "length with coding", f"{POST} ⏎ {LENGTH} ⏎ {CHUNKED} ⏎⏎ abc"),
    refused("9112 6.3", "coding with length", f"{POST} ⏎ {CHUNKED} ⏎ {LENGTH} ⏎⏎ abc"),
    refused("9112 6.3", "length twice", f"{POST} ⏎ {LENGTH} ⏎ {LENGTH} ⏎⏎ abc"),
    refused("9112 6.3", "lengths in a list", f"{POST} ⏎ Content-Length: 3, 3 ⏎⏎ abc"),
    refused("9112 6.2", "a length with a sign", f"{POST} ⏎ Content-Length: +3 ⏎⏎ abc"),
    refused("9112 6.1", "an unknown coding", f"{POST} ⏎ Transfer-Encoding: xchunked ⏎⏎"),
    refused(
        "9112 6.1",
        "another coding before chunked",
        f"{POST} ⏎ Transfer-Encoding: gzip, chunked ⏎⏎",
        501,
    ),
    refused(
        "9112 6.1", "a coding in HTTP/1.0", f"{POST.replace('1.1', '1.0')} ⏎ {CHUNKED} ⏎⏎ 0 ⏎⏎"
    ),
    refused("9112 2.2", "a bare LF", f"{GET} ⏎ X: a\\nY: b ⏎⏎"),
    refused("9112 2.2", "a bare CR", f"{GET} ⏎ X: a\\rY: b ⏎⏎"),
    refused("9112 5.2", "obs-fold", f"{GET} ⏎ X: a\\r\\n b ⏎⏎"),
    refused("9112 5.1", "a space before the colon", f"{GET} ⏎ X : a ⏎⏎"),
    refused("9110 5.5", "NUL in a value", f"{GET} ⏎ X: a\\0 ⏎⏎"),
    refused("9112 3", "two spaces", f"{GET.replace('GET ', 'GET  ')} ⏎⏎"),
    refused("9112 2.3", "another version", f"{GET.replace('1.1', '2.0')} ⏎⏎", 505),
    refused("9113 3.4", "the preface of HTTP/2", "PRI * HTTP/2.0 ⏎⏎ SM ⏎⏎", 505),
    refused("9112 3.2", "no Host", "GET http://AUTH/ HTTP/1.1 ⏎⏎"),
    refused("9112 3.2", "two Hosts", f"{GET} ⏎ Host: AUTH ⏎⏎"),
    refused(
        "9112 3.2.2", "absolute form with another Host", f"{GET.replace(': AUTH', ': b.test')} ⏎⏎"
    ),
    refused("9112 3.2.1", "origin form: this is no origin", "GET / HTTP/1.1 ⏎ Host: AUTH ⏎⏎"),
    refused("9112 3.2.3", "authority form outside CONNECT", "GET AUTH HTTP/1.1 ⏎ Host: AUTH ⏎⏎"),
    refused("9112 3.2.4", "asterisk form from a client", "OPTIONS * HTTP/1.1 ⏎ Host: AUTH ⏎⏎"),
    refused("9110 4.2.4", "userinfo", f"{GET.replace('//', '//b.test@')} ⏎⏎"),
    refused("9110 4.1", "a fragment", f"{GET.replace('/ HTTP', '/#x HTTP')} ⏎⏎"),
    refused("9110 4.2.2", "https in absolute form", f"{GET.replace('http:', 'https:')} ⏎⏎"),
    refused(
        "9110 7.6.1",
        "Connection names framing",
        f"{POST} ⏎ Connection: content-length ⏎ {LENGTH} ⏎⏎ abc",
    ),
    refused("9110 9.3.8", "TRACE", f"{GET.replace('GET', 'TRACE')} ⏎⏎", 405),
    refused("9112 3", "a target over 16 KiB", f"GET http://AUTH/{'a' * 17_000} HTTP/1.1 ⏎⏎", 414),
    refused("6585 5", "a head over 64 KiB", f"{GET} ⏎ X: {'a' * 66_000} ⏎⏎", 431),
    refused("6585 5", "more than a hundred fields", f"{GET} {'⏎ X: a ' * 100} ⏎⏎", 431),
]

ANSWERS = [
    Row(
        section=section,
        holds=f"an answer with {holds} is a 502",
        sent=f"{GET} ⏎⏎",
        saw=ON,
        answers=(answer,),
        got=says(r"\AHTTP/1\.1 502 (?s:.)*; error=http_protocol_error; "),
    )
    for section, holds, answer in [
        (
            "9112 6.3",
            "length and coding",
            f"HTTP/1.1 200 OK ⏎ Content-Length: 2 ⏎ {CHUNKED} ⏎⏎ 0 ⏎⏎",
        ),
        (
            "9112 6.3",
            "two lengths",
            "HTTP/1.1 200 OK ⏎ Content-Length: 2 ⏎ Content-Length: 2 ⏎⏎ hi",
        ),
        ("9112 6.1", "another coding", "HTTP/1.1 200 OK ⏎ Transfer-Encoding: gzip, chunked ⏎⏎"),
        ("9112 2.2", "a bare LF", "HTTP/1.1 200 OK ⏎ X: a\\nContent-Length: 2 ⏎⏎ hi"),
        ("9112 5.2", "obs-fold", "HTTP/1.1 200 OK ⏎ X: a\\r\\n b ⏎ Content-Length: 2 ⏎⏎ hi"),
        ("9112 4", "another version", "HTTP/2 200 OK ⏎ Content-Length: 2 ⏎⏎ hi"),
        (
            "9110 15.2.2",
            "101 that nobody asked for",
            "HTTP/1.1 101 Switching Protocols ⏎ Content-Length: 0 ⏎⏎",
        ),
    ]
]

TUNNELS = [
    Row(
        section="9110 9.3.6",
        holds="2xx has no framing; what came early is kept; half-close",
        sent=f"{CONNECT} ⏎⏎early",
        answers=(ECHO,),
        saw="early",
        got=ESTABLISHED + "early",
    ),
    Row(
        section="9110 9.3.6",
        holds="Host says nothing about where a tunnel goes",
        sent=f"{CONNECT.replace('Host: AUTH', 'Host: b.test')} ⏎⏎x",
        answers=(ECHO,),
        saw="x",
        got=ESTABLISHED + "x",
    ),
    Row(
        section="9110 9.3.6",
        holds="a name is an authority too",
        sent="CONNECT A.test.:PORT HTTP/1.1 ⏎ Host: a ⏎⏎x",
        answers=(ECHO,),
        saw="x",
        got=ESTABLISHED + "x",
    ),
    Row(
        section="9110 9.3.6",
        holds="nothing is read of what follows a refused CONNECT",
        sent=f"CONNECT denied.test:443 HTTP/1.1 ⏎ Host: a ⏎⏎ {GET} ⏎⏎",
        got=(403,),
    ),
    *(
        refused(
            "9110 9.3.6", f"{target} is not host:port", f"CONNECT {target} HTTP/1.1 ⏎ Host: AUTH ⏎⏎"
        )
        for target in (
            "a.test",
            "a.test:",
            ":443",
            "a.test:0",
            "a.test:65536",
            "a.test:0443",
            "a.test:+1",
            "a.test:443/",
            "http://AUTH",
            "/",
            "*",
            "b@AUTH",
            "[::1]",
            "::1:443",
            "[::1%25lo]:443",
            "127.1:443",
            "0x7f000001:443",
            "2130706433:443",
            "a%2etest:443",
            "a.test:443?x",
        )
    ),
    refused("9110 9.3.6", "CONNECT with a length", f"{CONNECT} ⏎ Content-Length: 3 ⏎⏎ abc"),
    refused("9110 9.3.6", "CONNECT with a coding", f"{CONNECT} ⏎ {CHUNKED} ⏎⏎ 0 ⏎⏎"),
    Row(
        section="6066 3",
        holds="TLS for the name of the tunnel passes, whole",
        sent=b"CONNECT a.test:PORT HTTP/1.1\r\nHost: a\r\n\r\n" + NAMED,
        answers=(ECHO,),
        saw=NAMED.decode("latin-1").encode("unicode_escape").decode(),
        got=(200,),
    ),
    Row(
        section="6066 3",
        holds="TLS for another name is cut before a byte of it arrives",
        sent=b"CONNECT a.test:PORT HTTP/1.1\r\nHost: a\r\n\r\n" + hello(names(b"b.test")),
        answers=(ECHO,),
        got=ESTABLISHED + "cut",
    ),
]

# A status, the error type of Proxy-Status, and no more than one answer.
FAILING = [
    Row(
        section=f"9209 {section}",
        holds=f"{error} is a {status}",
        sent=f"CONNECT {host}:PORT HTTP/1.1 ⏎ Host: a ⏎⏎",
        got=says(rf"\AHTTP/1\.1 {status} (?s:.)*\r\nProxy-Status: netproxy; error={error}; "),
    )
    for section, error, status, host in [
        ("2.3.1", "dns_timeout", 504, "dns-timeout.test"),
        ("2.3.2", "dns_error", 502, "unknown.test"),
        ("2.3.4", "destination_unavailable", 502, "host-unreachable.test"),
        ("2.3.17", "http_request_denied", 403, "private.test"),
        ("2.3.6", "destination_ip_unroutable", 502, "network-unreachable.test"),
        ("2.3.7", "connection_refused", 502, "connection-refused.test"),
        ("2.3.8", "connection_terminated", 502, "connection-terminated.test"),
        ("2.3.9", "connection_timeout", 504, "connection-timeout.test"),
        ("2.3.16", "http_request_error", 400, "a..test"),
        ("2.3.17", "http_request_denied", 403, "denied.test"),
        ("2.3.30", "proxy_internal_error", 500, "internal.test"),
    ]
] + [
    Row(
        section="8305 5",
        holds="an address that does not answer is not the end of a name",
        sent="GET http://both.test:PORT/ HTTP/1.1 ⏎ Host: both.test:PORT ⏎⏎",
        saw=ON.replace("AUTH", "both.test:PORT"),
    ),
]

ROWS = [*PERSISTENCE, *FRAMING, *PASSED_ON, *UPGRADES, *AMBIGUOUS, *ANSWERS, *TUNNELS, *FAILING]


@pytest.fixture(scope="module")
def near() -> Iterator[Proxy]:
    with proxy(open_gateway()) as running:
        yield running


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.section} {row.holds}" for row in ROWS])
def test_row(row: Row, near: Proxy) -> None:
    via = near.server._services.pseudonym
    answering = Answering(row.answers)
    with origin(answering) as far, near.http() as client:
        got = converse(client, wire(row.sent, far.port, via))
        near.settle_after(client)
        answering.hang_up()
    # Whether the connection to the origin is kept is nobody's business but ours.
    saw = normal(answering.received, far.port, via).replace(b"Connection: close\r\n", b"")
    assert saw == plain(row.saw)
    match row.got:
        case str(text):
            assert normal(got, far.port, via) == plain(text)
        case re.Pattern() as pattern:
            assert pattern.search(got)
        case statuses:
            assert tuple(map(int, re.findall(rb"HTTP/1\.1 (\d+) ", got))) == statuses
