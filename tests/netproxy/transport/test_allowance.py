"""What a run may move in all: exact for what is over, a tenth of a second late for what runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.transport.allowance import Allowance
from otel.events import ClientsTurnedAway, ConnectionClosed
from tests.support.fakes import FakeResolver
from tests.support.origins import PATIENCE_SECONDS, Recorder, echo, origin, read_all, read_head
from tests.support.proxies import LIMITS, Setting, eventually, proxy, read_until

if TYPE_CHECKING:
    import socket

LIMIT = 100_000


def setting() -> Setting:
    resolver = FakeResolver(a__test=[("127.0.0.1",)])
    return Setting(limits=replace(LIMITS, bytes_per_run=LIMIT), resolver=resolver)


def drained(client: socket.socket) -> None:
    while client.recv(65536):
        pass


def post(port: int, length: int, body: bytes = b"") -> bytes:
    head = f"POST http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode() + body


def test_it_adds_what_is_over_and_what_runs() -> None:
    in_flight, spent = [0], []

    async def inside() -> None:
        loop = asyncio.get_running_loop()
        allowance = Allowance(
            100, loop, in_flight=lambda: in_flight[0], on_spent=lambda: spent.append(1)
        )
        allowance.moved = 60
        assert allowance.left == 40
        in_flight[0] = 39
        allowance.look()
        assert (allowance.is_spent, spent) == (False, [])
        in_flight[0] = 41
        allowance.look()
        assert (allowance.left, allowance.is_spent, spent) == (0, True, [1])
        in_flight[0] = 0
        allowance.look()
        assert (allowance.is_spent, spent) == (True, [1, 1]), "for good"
        allowance.close()

    asyncio.run(inside())


def test_without_a_limit_nobody_looks() -> None:
    async def inside() -> None:
        loop = asyncio.get_running_loop()
        allowance = Allowance(None, loop, in_flight=lambda: 1 // 0, on_spent=lambda: None)
        allowance.moved = 10**18
        assert allowance.left is None
        assert not allowance.is_spent
        allowance.close()

    asyncio.run(inside())


def test_tunnels_are_cut_together_and_nothing_more_is_let_out() -> None:
    with origin(echo) as far, proxy(setting()) as near:
        idle, _ = near.connect(f"127.0.0.1:{far.port}")
        busy, _ = near.connect(f"127.0.0.1:{far.port}")
        with idle, busy:
            with suppress(OSError):
                while True:
                    busy.sendall(b"x" * 1000)
                    assert busy.recv(65536)
            with near.http() as client:
                client.sendall(b"CONNECT a.test:1 HTTP/1.1\r\nHost: a\r\n\r\n")
                assert read_all(client).startswith(b"HTTP/1.1 429 ")
        near.settle()
        assert len(near.audit.decisions) == 2, "the third is a number"
    closed = near.audit.of(ConnectionClosed)
    assert "byte_limit" in {each.close_reason for each in closed}
    moved = sum(each.bytes_sent + each.bytes_received for each in closed)
    assert moved >= LIMIT
    assert [each.limit for each in near.audit.of(ClientsTurnedAway)] == ["bytes_per_run"]
    assert not near.token.is_cancelled


def test_a_body_that_says_it_is_too_long_is_a_413_and_goes_nowhere() -> None:
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    with origin(recorder) as far, proxy(setting()) as near:
        with near.http() as client:
            client.sendall(post(far.port, LIMIT + 1))
            answered = read_all(client)
        assert answered.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
        assert b"Retry-After" not in answered
        assert near.setting.policy.judged == []
        with near.http() as client:
            client.sendall(post(far.port, LIMIT // 2, b"x" * (LIMIT // 2)))
            assert read_until(client, b"hi").startswith(b"HTTP/1.1 200 ")
        with near.http() as client:
            client.sendall(post(far.port, LIMIT // 2))
            assert read_all(client).startswith(b"HTTP/1.1 413 "), "what was moved counts"
    assert len(recorder.heads) == 1


def test_an_answer_without_end_is_cut_and_does_not_look_whole() -> None:
    def endless(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 10_000)

    with origin(endless) as far, proxy(setting()) as near, near.http() as client:
        client.sendall(f"GET http://a.test:{far.port}/ HTTP/1.0\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            drained(client)
        near.settle()
    (closed,) = near.audit.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"


def test_an_idle_tunnel_that_moved_nothing_stays() -> None:
    with origin(echo) as far, proxy(setting()) as near:
        idle, _ = near.connect(f"127.0.0.1:{far.port}")
        near.call(lambda: setattr(near.server._services.allowance, "moved", LIMIT))
        eventually(lambda: near.server._services.allowance.is_spent)
        with idle:
            idle.settimeout(0.05)
            with pytest.raises(TimeoutError):
                idle.recv(1)
            idle.settimeout(PATIENCE_SECONDS)
            idle.sendall(b"now it does")
            with suppress(ConnectionResetError):
                while idle.recv(100):
                    pass
        near.settle()
