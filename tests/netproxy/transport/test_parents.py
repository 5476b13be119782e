"""Parents: told a checked address, heard to the last byte of their answer and no further."""

from __future__ import annotations

import base64
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.routes import Login, ParentKind, Resolving
from netproxy.model import Verdict
from otel.events import ConnectionFailed, ConnectionOpened, ParentUsed
from tests.support.fakes import FakePolicy, FakeResolver
from tests.support.origins import echo, origin, read_all
from tests.support.parents import OK, HttpParent, parent, through
from tests.support.proxies import Proxy, Setting, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.connection.routes import Parent

NAMES = {"a__test": [("1.1.1.1", "2606:4700::1111")]}
JOE = Login(user="joe", password="hunter2")


def setting(chosen: Parent, **names: list[tuple[str, ...]]) -> Setting:
    return Setting(
        policy=FakePolicy(Verdict.ALLOW),
        resolver=FakeResolver(**(names or NAMES)),
        routes=through(chosen),
    )


def told(near: Proxy, authority: str = "a.test:443") -> bytes:
    client, head = near.connect(authority)
    with client:
        return head


def test_connect_goes_by_the_checked_address() -> None:
    corp = HttpParent()
    with origin(corp) as far, proxy(setting(parent(far.port))) as near:
        client, head = near.connect("a.test:443", early=b"hello")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
            # The echo may come in one piece with the head.
            assert (head.partition(b"\r\n\r\n")[2] or client.recv(5)) == b"hello"
        near.settle()
        assert corp.heads[0].startswith(b"CONNECT 1.1.1.1:443 HTTP/1.1\r\nHost: 1.1.1.1:443\r\n")
        [used] = near.audit.of(ParentUsed)
        assert used.attributes()["netproxy.parent.name"] == "corp"
        assert used.attributes()["netproxy.parent.target"] == "1.1.1.1:443"
        assert used.attributes()["netproxy.parent.resolves"] is False
        [opened] = near.audit.of(ConnectionOpened)
        assert opened.peer_address == f"127.0.0.1:{far.port}"


def test_plain_http_goes_through_connect_too() -> None:
    def answers(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    corp = HttpParent(then=answers)
    with origin(corp) as far, proxy(setting(parent(far.port))) as near, near.http() as client:
        client.sendall(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        assert read_all(client).endswith(b"hi")
        assert corp.heads[0].startswith(b"CONNECT 1.1.1.1:80 ")


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_answer_may_come_in_any_pieces_and_what_follows_is_kept(size: int) -> None:
    """A server-first protocol may greet in the same segment as the parent's 200."""
    whole = OK + b"220 mail.test ESMTP\r\n"

    def dribbles(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(whole), size):
            connection.sendall(whole[start : start + size])
            time.sleep(0.0005)
        echo(connection)

    with origin(dribbles) as far, proxy(setting(parent(far.port))) as near:
        client, head = near.connect("a.test:25")
        with client:
            data = head.partition(b"\r\n\r\n")[2]
            while not data.endswith(b"\r\n"):
                data += client.recv(100)
            assert data == b"220 mail.test ESMTP\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 201 Created\r\n\r\n", id="201"),
        pytest.param(b"HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", id="204"),
        pytest.param(b"HTTP/1.1 299\r\n\r\n", id="no-reason"),
        pytest.param(b"HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 100\r\n\r\n" + OK, id="1xx"),
    ],
)
def test_whatever_means_yes_is_one(answer: bytes) -> None:
    """RFC 9110 sections 9.3.6 and 15.2; what follows is the origin's, whatever fields it has."""
    with origin(HttpParent(answer + b"hello")) as far, proxy(setting(parent(far.port))) as near:
        client, head = near.connect("a.test:25")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
            data = head.partition(b"\r\n\r\n")[2]
            while len(data) < len(b"hello"):
                data += client.recv(100)
            assert data == b"hello"


def test_a_parent_that_resolves_is_told_the_name_and_that_is_on_record() -> None:
    corp = HttpParent()
    with origin(corp) as far:
        chosen = setting(parent(far.port, resolving=Resolving.THERE), other__test=[("1.1.1.1",)])
        with proxy(chosen) as near:
            assert told(near).startswith(b"HTTP/1.1 200 ")
            assert corp.heads[0].startswith(b"CONNECT a.test:443 ")
            [used] = near.audit.of(ParentUsed)
            assert used.attributes()["netproxy.parent.target"] == "a.test:443"
            assert used.attributes()["netproxy.parent.resolves"] is True


def test_a_literal_is_no_name_that_anybody_resolves() -> None:
    corp = HttpParent()
    with (
        origin(corp) as far,
        proxy(setting(parent(far.port, resolving=Resolving.THERE))) as near,
    ):
        assert told(near, "[2606:4700::1111]:443").startswith(b"HTTP/1.1 200 ")
        assert corp.heads[0].startswith(b"CONNECT [2606:4700::1111]:443 ")
        assert near.audit.of(ParentUsed)[0].attributes()["netproxy.parent.resolves"] is False


def test_basic_credentials() -> None:
    corp = HttpParent()
    with origin(corp) as far, proxy(setting(parent(far.port, login=JOE))) as near:
        assert told(near).startswith(b"HTTP/1.1 200 ")
    assert base64.b64encode(b"joe:hunter2") in corp.heads[0]


def test_the_next_address_is_tried_where_the_first_does_not_answer() -> None:
    heads: list[bytes] = []

    def picky(connection: socket.socket) -> None:
        heads.append(read_until(connection, b"\r\n\r\n"))
        if b"1.1.1.1" in heads[-1]:
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        else:
            connection.sendall(OK)
            echo(connection)

    with origin(picky) as far, proxy(setting(parent(far.port))) as near:
        assert told(near).startswith(b"HTTP/1.1 200 ")
        assert [head.split()[1] for head in heads] == [b"1.1.1.1:443", b"[2606:4700::1111]:443"]


def test_an_address_that_leads_the_parent_nowhere_leaves_time_for_the_next() -> None:
    """RFC 8305 is about that, for those who dial themselves."""
    heads: list[bytes] = []

    def blind(connection: socket.socket) -> None:
        heads.append(read_until(connection, b"\r\n\r\n"))
        if b"1.1.1.1" not in heads[-1]:
            connection.sendall(OK)
        echo(connection)

    with origin(blind) as far:
        chosen = setting(parent(far.port))
        chosen.limits = replace(chosen.limits, connect_seconds=1.0)
        with proxy(chosen) as near:
            assert told(near).startswith(b"HTTP/1.1 200 ")
    assert [head.split()[1] for head in heads] == [b"1.1.1.1:443", b"[2606:4700::1111]:443"]


def socks5(
    reply: bytes, *, method: bytes = b"\x05\x00", auth: bytes = b""
) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(method)
        if auth:
            connection.recv(600)
            connection.sendall(auth)
        connection.recv(600)
        connection.sendall(reply)
        echo(connection)

    return serve


GRANTED = bytes.fromhex("05 00 00 01 00000000 0000")


@pytest.mark.parametrize(
    "reply",
    [
        GRANTED,
        bytes.fromhex("05 00 00 04") + bytes(18),
        bytes.fromhex("05 00 00 03 03") + b"abc\0\0",
    ],
    ids=["ipv4", "ipv6", "name"],
)
def test_socks5(reply: bytes) -> None:
    serve = socks5(reply + b"hello", method=b"\x05\x02", auth=b"\x01\x00")
    with (
        origin(serve) as far,
        proxy(setting(parent(far.port, ParentKind.SOCKS5, login=JOE))) as near,
    ):
        client, head = near.connect("a.test:443")
        with client:
            data = head.partition(b"\r\n\r\n")[2]
            while len(data) < 5:
                data += client.recv(100)
            assert data == b"hello"


def test_socks4_has_no_ipv6() -> None:
    asked: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        asked.append(connection.recv(100))
        connection.sendall(bytes.fromhex("00 5A 0000 00000000"))
        echo(connection)

    with origin(serve) as far:
        chosen = parent(far.port, ParentKind.SOCKS4)
        with proxy(setting(chosen, a__test=[("2606:4700::1111", "1.1.1.1")])) as near:
            assert told(near).startswith(b"HTTP/1.1 200 ")
            assert asked == [bytes.fromhex("04 01 01BB 01010101 00")]
        with proxy(setting(chosen, a__test=[("2606:4700::1111",)])) as near:
            assert b"destination_ip_unroutable" in told(near)


@pytest.mark.parametrize(
    ("kind", "answer", "status", "error"),
    [
        ("http", b"HTTP/1.1 407 Who\r\n\r\n", 500, "proxy_configuration_error"),
        ("http", b"HTTP/1.1 403 No\r\n\r\n", 502, "destination_unavailable"),
        ("http", b"HTTP/1.1 502 Bad\r\n\r\n", 502, "destination_unavailable"),
        ("http", b"HTTP/1.1 504 Late\r\n\r\n", 504, "connection_timeout"),
        ("http", b"HTTP/1.1 101 Switching\r\n\r\n", 502, "destination_unavailable"),
        ("http", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, 502, "http_protocol_error"),
        ("http", b"hello\r\n\r\n", 502, "http_protocol_error"),
        ("http", b"ICY 200 OK\r\n\r\n", 502, "http_protocol_error"),
        ("http", b"HTTP/2 200 OK\r\n\r\n", 502, "http_protocol_error"),
        ("http", b"HTTP/1.1 2_00 OK\r\n\r\n", 502, "http_protocol_error"),
        ("http", b"HTTP/1.1 0200\r\n\r\n", 502, "http_protocol_error"),
        ("http", b"\xff\xfe \x00 \x01\r\n\r\n", 502, "http_protocol_error"),
        ("socks5", bytes.fromhex("05 02 00 01 00000000 0000"), 502, "destination_unavailable"),
        ("socks5", bytes.fromhex("05 03 00 01 00000000 0000"), 502, "destination_ip_unroutable"),
        ("socks5", bytes.fromhex("05 05 00 01 00000000 0000"), 502, "connection_refused"),
        ("socks5", bytes.fromhex("05 06 00 01 00000000 0000"), 504, "connection_timeout"),
        ("socks5", bytes.fromhex("04 00 00"), 502, "http_protocol_error"),
    ],
)
def test_what_a_parent_says_no_to(kind: str, answer: bytes, status: int, error: str) -> None:
    serve = HttpParent(answer, then=lambda _: None) if kind == "http" else socks5(answer)
    with origin(serve) as far, proxy(setting(parent(far.port, ParentKind(kind)))) as near:
        head = told(near)
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert f"error={error};".encode() in head
        [failed] = near.audit.of(ConnectionFailed)
        assert failed.attributes()["netproxy.parent.name"] == "corp"
        assert not near.token.is_cancelled
