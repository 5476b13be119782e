"""Accepting: never dies, backs off, owns what it took."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import replace

from netproxy.connection.gate import Gate
from netproxy.model import OnDenial, Verdict
from netproxy.transport import HappyEyeballs, ListenerKind, ProxyServer, Readiness
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakeCache,
    FakePolicy,
    FakeResolver,
    FakeToken,
)
from tests.support.proxies import LIMITS, proxy


class Reluctant(socket.socket):
    """A listener whose accept fails a few times first."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            code = self.failures.pop(0)
            raise OSError(code, "no")
        return super().accept()


def serving(failures: list[int]) -> bytes:
    """What a client is answered by a server whose accept fails like that."""

    async def inside() -> bytes:
        loop = asyncio.get_running_loop()
        reports: list[str] = []
        readiness = Readiness(loop, report=reports.append)
        policy, audit = FakePolicy(Verdict.DENY, on_denial=OnDenial.BLOCK), FakeAudit()
        server = ProxyServer(
            gate=Gate(
                policy=policy,
                cache=FakeCache(),
                approver=FakeApprover(),
                audit=audit,
                token=FakeToken(),
            ),
            policy=policy,
            resolver=FakeResolver(),
            dialer=HappyEyeballs(readiness, LIMITS),
            audit=audit,
            limits=replace(LIMITS, linger_seconds=0.1),
            readiness=readiness,
            report=reports.append,
        )
        listener = Reluctant()
        listener.failures = failures
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server.serve(listener, ListenerKind.HTTP)
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, listener.getsockname())
            await loop.sock_sendall(client, b"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(5):
                answered = await loop.sock_recv(client, 100)
        await server.aclose()
        readiness.close()
        assert reports == []
        return answered

    return asyncio.run(inside())


def test_out_of_descriptors_waits_and_goes_on() -> None:
    for code in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
        assert serving([code]).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_gave_up_in_the_queue_stops_nobody() -> None:
    assert serving([errno.ECONNABORTED, errno.EPROTO]).startswith(b"HTTP/1.1 403 ")


def test_closing_leaves_nothing_open() -> None:
    with proxy() as near:
        client = near.http()
        client.sendall(b"CONNECT a")
    with client:
        assert client.recv(10) == b""
    assert not near.server.connections
    assert near.server._readiness._handlers == {}


def test_many_silent_clients_do_not_stop_a_speaking_one() -> None:
    """Slowloris: each holds a descriptor for a while, and nothing else."""
    with proxy() as near:
        silent = [near.http() for _ in range(100)]
        for client in silent[:50]:
            client.sendall(b"CONNECT ")
        with near.http() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 400"
        for client in silent:
            client.close()
