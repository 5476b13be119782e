"""Whatever is taken away upstream, the answer says so, it is on record, and nobody is cancelled."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from otel.events import ConnectionClosed, ConnectionFailed, ConnectionOpened, Event
from tests.support.fakes import FakeAudit, FakeResolver
from tests.support.origins import PATIENCE_SECONDS, echo, origin, read_all, read_head, reset
from tests.support.proxies import Proxy, Setting, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.config import Limits
    from netproxy.model import Destination
    from netproxy.transport import Readiness


class FailingDialer:
    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def __call__(self, readiness: Readiness, limits: Limits) -> FailingDialer:
        return self

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> socket.socket:
        raise self._problem


class FailingResolver:
    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    async def resolve(self, host: str) -> Sequence[str]:
        raise self._problem


def outcomes(near: Proxy) -> dict[str, bytes]:
    """What each kind of client is told about a.test."""
    told = {}
    for kind, data in (
        ("connect", b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"),
        ("plain", b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"),
    ):
        with near.http() as client:
            client.sendall(data)
            told[kind] = read_all(client)
    with near.socks() as client:
        client.sendall(b"\x05\x01\x00\x05\x01\x00\x03\x06a.test\x01\xbb")
        told["socks"] = read_all(client)
    return told


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("part", ["resolver", "dialer"])
def test_every_failure_has_its_answer_on_each_wire(failure: Failure, part: str) -> None:
    problem = DestinationUnreachable(failure, "taken away")
    setting = (
        Setting(resolver=FailingResolver(problem))
        if part == "resolver"
        else Setting(dialer=FailingDialer(problem), resolver=FakeResolver(a__test=[("127.0.0.1",)]))
    )
    with proxy(setting) as near:
        told = outcomes(near)
    wire = failure.value
    for kind in ("connect", "plain"):
        assert told[kind].startswith(b"HTTP/1.1 %d " % wire.status)
        assert f"error={wire.proxy_status};".encode() in told[kind]
    assert told["socks"][2:4] == bytes([5, wire.reply])
    assert [event.error_type for event in near.audit.of(ConnectionFailed)] == [
        wire.proxy_status
    ] * 3
    assert {decision for decision, _ in near.audit.decisions} == {"allow"}
    assert not near.token.is_cancelled
    assert near.audit.of(ConnectionOpened) == []


def test_a_resolver_with_a_bug_closes_the_connection_and_the_proxy_goes_on() -> None:
    near = Proxy(Setting(resolver=FailingResolver(ZeroDivisionError("bug"))))
    near.start()
    try:
        assert {kind: told[:4] for kind, told in outcomes(near).items()} == {
            "connect": b"",
            "plain": b"",
            "socks": b"\x05\x00",
        }
        with origin(echo) as far:
            client, head = near.connect(f"127.0.0.1:{far.port}")
            client.close()
            assert head.startswith(b"HTTP/1.1 200 ")
    finally:
        near.stop()
    assert len(near.reports) == 3
    assert not any("\n" in report for report in near.reports)


def test_an_origin_that_resets_in_the_middle_of_a_tunnel() -> None:
    def break_off(connection: socket.socket) -> None:
        connection.recv(1)
        reset(connection)

    with origin(break_off) as far, proxy() as near:
        client, _ = near.connect(f"127.0.0.1:{far.port}")
        client.sendall(b"x")
        with client, pytest.raises(ConnectionResetError):
            client.recv(10)
        near.settle()
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["reset"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("how", ["reset", "end"])
def test_half_an_answer_that_ends_with_its_connection_never_looks_whole(
    version: str, how: str
) -> None:
    """A client of HTTP/1.0 has nothing but that end to tell by (RFC 9112 section 8)."""
    framing, content = {
        "reset": (b"", b"hi"),
        "end": (b"Transfer-Encoding: chunked\r\n", b"2\r\nhi"),
    }[how]
    half = threading.Event()

    def breaks_off(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + content)
        assert half.wait(PATIENCE_SECONDS)
        if how == "reset":
            reset(connection)

    with origin(breaks_off) as far, proxy() as near, near.http() as client:
        host = f"127.0.0.1:{far.port}"
        client.sendall(f"GET http://{host}/ HTTP/{version}\r\nHost: {host}\r\n\r\n".encode())
        answered = read_until(client, b"hi")
        half.set()
        if version == "1.0":
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        else:
            answered += read_all(client)
        near.settle()
    assert answered.endswith((b"hi", b"hi\r\n"))
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["reset"]


def test_an_end_that_cannot_be_recorded_is_reported_and_nothing_else_suffers() -> None:
    def ends(event: Event) -> bool:
        return isinstance(event, ConnectionClosed)

    near = Proxy(Setting(audit=FakeAudit(ends)))
    near.start()
    with origin(echo) as far:
        client, head = near.connect(f"127.0.0.1:{far.port}")
        client.close()
        assert head.startswith(b"HTTP/1.1 200 ")
        near.settle()
    near.stop()
    assert near.reports == [
        "netproxy: netproxy.connection.closed could not be recorded: the disk is full"
    ]


def test_plain_asyncio_is_enough_where_uvloop_is_missing() -> None:
    with origin(echo) as far, proxy(Setting(loop_factory=asyncio.new_event_loop)) as near:
        client, head = near.connect(f"127.0.0.1:{far.port}", early=b"x")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
            client.shutdown(socket.SHUT_WR)
            assert (head + read_all(client)).endswith(b"x")
