"""Whatever a parent does, the answer says so in time, and nothing goes around it."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.routes import ParentKind
from netproxy.model import Verdict
from otel.events import ConnectionFailed, ConnectionOpened, ParentUsed
from tests.support.fair_clock import FairClock
from tests.support.fakes import FakeAudit, FakePolicy, FakeResolver
from tests.support.origins import origin, read_all, reset
from tests.support.parents import HttpParent, parent, through
from tests.support.proxies import LIMITS, Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.connection.routes import Parent
    from otel.events import Event


def setting(
    chosen: Parent, audit: FakeAudit | None = None, *, connect_seconds: float = 10.0
) -> Setting:
    return Setting(
        policy=FakePolicy(Verdict.ALLOW),
        resolver=FakeResolver(a__test=[("1.1.1.1",)]),
        routes=through(chosen),
        audit=audit or FakeAudit(),
        limits=replace(LIMITS, connect_seconds=connect_seconds),
    )


def hangs(connection: socket.socket) -> None:
    read_all(connection)


def leaves(connection: socket.socket) -> None:
    connection.recv(10)


def breaks(connection: socket.socket) -> None:
    connection.recv(1)
    reset(connection)


def pours(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: 1\r\n" * 1000)


@pytest.mark.parametrize(
    ("serve", "status", "error"),
    [
        (hangs, 504, "connection_timeout"),
        (leaves, 502, "connection_terminated"),
        (breaks, 502, "connection_terminated"),
        (pours, 502, "http_protocol_error"),
    ],
)
@pytest.mark.parametrize("kind", [ParentKind.HTTP, ParentKind.SOCKS5])
def test_a_parent_that_does_not_do_its_part(
    serve: Callable[[socket.socket], None], status: int, error: str, kind: ParentKind
) -> None:
    # Only who hangs is waited for: all others are seen at once, however busy the machine is.
    seconds = 0.2 if serve is hangs else 10.0
    with (
        origin(serve) as far,
        proxy(setting(parent(far.port, kind), connect_seconds=seconds)) as near,
    ):
        clock = FairClock()
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert f"error={error};".encode() in head
        assert clock() < 2
        assert near.audit.of(ConnectionOpened) == []
        assert len(near.audit.of(ConnectionFailed)) == 1
        assert not near.token.is_cancelled


def test_a_parent_that_closes_after_its_yes_is_an_origin_that_does() -> None:
    corp = HttpParent(then=lambda _: None)
    with origin(corp) as far, proxy(setting(parent(far.port))) as near:
        client, head = near.connect("a.test:443")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
            assert read_all(client) == b""


def test_a_parent_that_is_down_is_not_gone_around() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with proxy(setting(parent(unused.getsockname()[1]))) as near:
            client, head = near.connect("a.test:443")
            client.close()
            assert head.startswith(b"HTTP/1.1 502 ")
            assert b"error=connection_refused;" in head


def test_a_parent_whose_name_is_not_found() -> None:
    chosen = replace(parent(3128), host="proxy.corp.test")
    with proxy(setting(chosen)) as near:
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"corp" not in head


def test_what_cannot_be_recorded_does_not_happen() -> None:
    def used(event: Event) -> bool:
        return isinstance(event, ParentUsed)

    with origin(HttpParent()) as far, proxy(setting(parent(far.port), FakeAudit(used))) as near:
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert near.audit.of(ConnectionOpened) == []


def test_a_failed_lookup_never_reaches_the_parent() -> None:
    corp = HttpParent()
    with origin(corp) as far:
        chosen = setting(parent(far.port))
        with proxy(chosen) as near:
            client, head = near.connect("b.test:443")
            client.close()
            assert head.startswith(b"HTTP/1.1 502 ")
            assert b"error=dns_error;" in head
        assert corp.heads == []
