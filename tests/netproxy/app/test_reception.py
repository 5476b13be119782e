from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast, override

import pytest
import uvloop

from netproxy.app.reception import Reception
from netproxy.model import CloseReason
from sandbox.launch import CaptureSockets, Listeners, listen_on_host
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from netproxy.transport.server import ProxyServer

PATIENT = 60.0


class Gateway:
    """Notes what happens to it. `problem` is what keeps it from being built."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.is_open = asyncio.Event()
        self.times_opened = 0
        self.closed_for: list[CloseReason] = []
        self._problem = problem

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ProxyServer]:
        self.times_opened += 1
        if self._problem is not None:
            raise self._problem
        self.is_open.set()
        yield cast("ProxyServer", self)
        self.is_open.clear()

    def close_all(self, reason: CloseReason) -> None:
        self.closed_for.append(reason)


@pytest.fixture
def listeners() -> Listeners:
    return listen_on_host()


def knock(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname(), PATIENCE_SECONDS)


def test_a_short_run_has_no_gateway(listeners: Listeners) -> None:
    async def story() -> Gateway:
        gateway = Gateway()
        async with Reception(listeners, gateway.open, patience_seconds=PATIENT) as reception:
            reception.close_all(CloseReason.RUN_ENDED)
        return gateway

    assert uvloop.run(story()).times_opened == 0
    assert listeners.http.fileno() == listeners.socks.fileno() == -1


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_the_first_client_opens_it(listeners: Listeners, kind: str) -> None:
    async def story() -> Gateway:
        gateway = Gateway()
        async with Reception(listeners, gateway.open, patience_seconds=PATIENT) as reception:
            with knock(getattr(listeners, kind)), knock(listeners.http):
                await asyncio.wait_for(gateway.is_open.wait(), PATIENCE_SECONDS)
                await asyncio.sleep(0.01)
                reception.close_all(CloseReason.RUN_CANCELLED)
            assert gateway.is_open.is_set()
        assert not gateway.is_open.is_set()
        return gateway

    gateway = uvloop.run(story())
    assert gateway.times_opened == 1
    assert gateway.closed_for == [CloseReason.RUN_CANCELLED]
    assert listeners.http.fileno() == -1


def test_a_command_that_lives_finds_it_open(listeners: Listeners) -> None:
    async def story() -> None:
        gateway = Gateway()
        async with Reception(listeners, gateway.open, patience_seconds=0.001):
            await asyncio.wait_for(gateway.is_open.wait(), PATIENCE_SECONDS)

    uvloop.run(story())


def test_where_none_can_be_built_nobody_waits_and_the_run_learns_why(listeners: Listeners) -> None:
    address = listeners.http.getsockname()

    async def story() -> None:
        gateway = Gateway(ImportError("torn installation"))
        async with Reception(listeners, gateway.open, patience_seconds=PATIENT):
            with knock(listeners.http) as client:
                assert await asyncio.to_thread(_is_broken_off, client)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, 1)

    with pytest.raises(ImportError, match="torn"):
        uvloop.run(story())


def _is_broken_off(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_question_for_a_name_opens_the_gateway(listeners: Listeners) -> None:
    """As does whatever else comes to a socket of the capture."""

    async def story() -> None:
        gateway = Gateway()
        with socket.socket(type=socket.SOCK_DGRAM) as names, socket.socket() as tcp:
            names.bind(("127.0.0.1", 0))
            capture = CaptureSockets(tcp=(tcp,), dns_udp=(names,), dns_tcp=())
            captured = replace(listeners, capture=capture)
            async with Reception(captured, gateway.open, patience_seconds=PATIENT):
                names.sendto(b"?", names.getsockname())
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await gateway.is_open.wait()
            assert names.fileno() == -1

    uvloop.run(story())


@pytest.mark.parametrize("is_told", [True, False], ids=["refused", "nothing"])
def test_what_a_short_run_was_refused_is_put_on_record(
    listeners: Listeners, *, is_told: bool
) -> None:
    """Its command has ended before anybody looked."""
    reports, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reports.setblocking(False)
    capture = CaptureSockets(tcp=(), dns_udp=(), dns_tcp=(), rejected=reports)

    async def story() -> int:
        gateway = Gateway()
        captured = replace(listeners, capture=capture)
        async with Reception(captured, gateway.open, patience_seconds=PATIENT):
            if is_told:
                kernel.send(b"a report")
        return gateway.times_opened

    with kernel:
        assert uvloop.run(story()) == is_told
    assert reports.fileno() == -1


class Overflowing(socket.socket):
    """Fills the kernel's socket that had no room for all reports."""

    @override
    def recv(self, size: int, flags: int = 0, /) -> bytes:
        raise OSError(errno.ENOBUFS, "no buffer space available")


def test_more_was_refused_than_could_be_told(listeners: Listeners) -> None:
    reports, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    overflowing = Overflowing(fileno=reports.detach())
    capture = CaptureSockets(tcp=(), dns_udp=(), dns_tcp=(), rejected=overflowing)

    async def story() -> int:
        gateway = Gateway()
        captured = replace(listeners, capture=capture)
        async with Reception(captured, gateway.open, patience_seconds=PATIENT):
            pass
        return gateway.times_opened

    with kernel:
        assert uvloop.run(story()) == 1
