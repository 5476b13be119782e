"""A client tries to see, choose, reach or outwit the operator's own proxy."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.routes import Login, ParentKind, Resolving
from netproxy.model import Verdict
from otel.events import ConnectionOpened, ParentUsed
from tests.support.fakes import FakePolicy, FakeResolver
from tests.support.origins import origin, read_all
from tests.support.parents import HttpParent, parent, through
from tests.support.proxies import Proxy, Setting, eventually, proxy

if TYPE_CHECKING:
    from netproxy.connection.routes import Parent

JOE = Login(user="joe", password="hunter2")


def setting(chosen: Parent, *addresses: str) -> Setting:
    return Setting(
        policy=FakePolicy(Verdict.ALLOW),
        resolver=FakeResolver(a__test=[addresses or ("1.1.1.1",)]),
        routes=through(chosen),
    )


def told(near: Proxy, authority: str, fields: str = "") -> bytes:
    with near.http() as client:
        client.sendall(
            f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{fields}\r\n".encode()
        )
        return client.recv(65536)


def recorded(near: Proxy) -> str:
    return json.dumps([event.attributes() for event in near.audit.events])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 joe:hunter2 am9lOmh1bnRlcjI=\r\n\r\n",
        b"joe:hunter2 am9lOmh1bnRlcjI= x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Echo: am9lOmh1bnRlcjI=\r\n\r\n",
        b"",
    ],
    ids=["refused", "garbage", "granted", "closed"],
)
def test_nothing_of_a_parent_reaches_the_client_or_the_record(answer: bytes) -> None:
    corp = HttpParent(answer, then=lambda _: None)
    with origin(corp) as far, proxy(setting(parent(far.port, login=JOE))) as near:
        seen = told(near, "a.test:443").decode("latin-1")
        near.settle()
        for secret in ("hunter2", "joe", "am9lOmh1bnRlcjI", "corp", str(far.port)):
            assert secret not in seen
        for secret in ("hunter2", "joe", "am9lOmh1bnRlcjI"):
            assert secret not in recorded(near)
        assert near.reports == []


def test_a_client_gives_the_parent_no_word_of_its_own() -> None:
    corp = HttpParent()
    fields = "Proxy-Authorization: Basic ZXZpbDpldmls\r\nX-Upstream-Https-Proxy: evil.test:1\r\n"
    with origin(corp) as far, proxy(setting(parent(far.port))) as near:
        assert told(near, "a.test:443", fields).startswith(b"HTTP/1.1 200 ")
        assert b"evil" not in corp.heads[0]
        assert b"Proxy-Authorization" not in corp.heads[0]


def test_the_parents_own_address_is_judged_as_any() -> None:
    """It is private, and dialled unjudged only on the way through it."""
    corp = HttpParent()
    with origin(corp) as far, proxy(setting(parent(far.port), "127.0.0.1")) as near:
        assert told(near, f"a.test:{far.port}").startswith(b"HTTP/1.1 403 ")
        assert corp.heads == []
        assert near.token.is_cancelled


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_parent_is_no_way_around_the_check_of_addresses(address: str) -> None:
    corp = HttpParent()
    with origin(corp) as far, proxy(setting(parent(far.port), address)) as near:
        assert told(near, "a.test:443").startswith(b"HTTP/1.1 403 ")
        assert corp.heads == []


def test_a_name_that_turns_after_the_check_is_still_the_checked_address() -> None:
    """DNS rebinding: the parent is told the address, so no second lookup can differ."""
    corp = HttpParent()
    with origin(corp) as far:
        chosen = setting(parent(far.port))
        chosen.resolver = FakeResolver(a__test=[("1.1.1.1",), ("127.0.0.1",)])
        with proxy(chosen) as near:
            assert told(near, "a.test:443").startswith(b"HTTP/1.1 200 ")
            assert corp.heads[0].split()[1] == b"1.1.1.1:443"


def test_where_the_parent_resolves_rebinding_is_possible_and_flagged() -> None:
    corp = HttpParent()
    with origin(corp) as far:
        resolver = FakeResolver(a__test=[("127.0.0.1",)])
        chosen = replace(setting(parent(far.port, resolving=Resolving.THERE)), resolver=resolver)
        with proxy(chosen) as near:
            assert told(near, "a.test:443").startswith(b"HTTP/1.1 200 ")
            assert resolver.asked == []
            [used] = near.audit.of(ParentUsed)
            assert used.attributes()["netproxy.parent.resolves"] is True


def test_datagrams_do_not_leave_around_a_parent() -> None:
    with (
        origin(HttpParent()) as far,
        proxy(setting(parent(far.port))) as near,
        near.socks() as client,
    ):
        client.sendall(b"\x05\x01\x00\x05\x03\x00\x01\0\0\0\0\0\0")
        reply = client.recv(2)
        while len(reply) < 12:
            reply += client.recv(12 - len(reply))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            where = (".".join(map(str, reply[6:10])), int.from_bytes(reply[10:12]))
            sender.sendto(b"\0\0\0\x03\x06a.test\x00\x35hello", where)
            eventually(lambda: near.audit.decisions != [])
            eventually(lambda: any("error.type" in e.attributes() for e in near.audit.events))
        assert near.audit.of(ConnectionOpened) == []
        client.close()
        near.settle()


def test_a_long_socks_answer_is_not_taken_for_the_origins() -> None:
    """What a parent sends in its own name never reaches the client as the origin's."""

    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"\x05\x00")
        connection.recv(100)
        connection.sendall(b"\x05\x00\x00\x03\xff" + b"x" * 255 + b"\0\0")

    with origin(serve) as far, proxy(setting(parent(far.port, ParentKind.SOCKS5))) as near:
        client, head = near.connect("a.test:443")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
            assert head.partition(b"\r\n\r\n")[2] + read_all(client) == b""
