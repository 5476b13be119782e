"""The relay alone, between socket pairs."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from netproxy.model import CloseReason
from netproxy.transport.readiness import Readiness
from netproxy.transport.relay import Relay
from tests.support.origins import reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Ends:
    """A relay between two TCP connections, and the far ends of both."""

    def __init__(self, stack: ExitStack) -> None:
        self.readiness = Readiness(asyncio.get_running_loop(), report=self._report)
        stack.callback(self.readiness.close)
        self.client, inner = pair(stack)
        self.origin, outer = pair(stack)
        self.ended: list[CloseReason] = []
        self.done = asyncio.Event()
        self.relay = Relay(
            self.readiness, inner, outer, buffer=memoryview(bytearray(65536)), on_end=self._end
        )

    def _end(self, reason: CloseReason) -> None:
        self.ended.append(reason)
        self.done.set()

    def _report(self, line: str) -> None:
        raise AssertionError(line)


def pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        far = stack.enter_context(socket.create_connection(listener.getsockname()))
        near, _ = listener.accept()
    stack.callback(near.close)
    for end in (far, near):
        end.setblocking(False)
    return far, near


def relaying(scenario: Callable[[Ends], Awaitable[None]]) -> Ends:
    async def inside() -> Ends:
        with ExitStack() as stack:
            ends = Ends(stack)
            async with asyncio.timeout(10):
                await scenario(ends)
            return ends

    return asyncio.run(inside())


async def everything(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    received = b""
    while data := await loop.sock_recv(sock, 65536):
        received += data
    return received


def test_both_directions_at_once_to_the_last_byte() -> None:
    up, down = random.Random(1).randbytes(5_000_001), random.Random(2).randbytes(7_000_003)

    async def scenario(ends: Ends) -> None:
        loop = asyncio.get_running_loop()
        ends.relay.start(up[:10])

        async def pour(sock: socket.socket, data: bytes) -> None:
            await loop.sock_sendall(sock, data)
            sock.shutdown(socket.SHUT_WR)

        async with asyncio.TaskGroup() as group:
            group.create_task(pour(ends.client, up[10:]))
            group.create_task(pour(ends.origin, down))
            there = group.create_task(everything(ends.origin))
            back = group.create_task(everything(ends.client))
        assert hashlib.sha256(there.result()).digest() == hashlib.sha256(up).digest()
        assert hashlib.sha256(back.result()).digest() == hashlib.sha256(down).digest()
        await ends.done.wait()

    ends = relaying(scenario)
    assert ends.ended == [CloseReason.FINISHED]
    assert (ends.relay.bytes_sent, ends.relay.bytes_received) == (len(up), len(down))


def test_what_nobody_reads_is_not_taken_in() -> None:
    """Without flow control the gateway would hold all of it."""
    taken = 0

    async def scenario(ends: Ends) -> None:
        nonlocal taken
        ends.relay.start(b"")
        for _ in range(50):
            try:
                while True:
                    taken += ends.client.send(bytes(1 << 20))
            except BlockingIOError:
                await asyncio.sleep(0.001)
        waiting = ends.relay._upstream.pending
        assert waiting is not None
        assert len(waiting) <= 65536
        before = ends.readiness._epoll.poll(0)
        assert before == []  # and nothing spins meanwhile
        ends.client.shutdown(socket.SHUT_WR)
        assert len(await everything(ends.origin)) == taken
        ends.origin.close()
        await ends.done.wait()

    ends = relaying(scenario)
    assert ends.relay.bytes_sent == taken


def test_a_half_close_waits_for_the_bytes_before_it() -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        loop = asyncio.get_running_loop()
        data = bytes(3_000_000)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(loop.sock_sendall(ends.client, data))
            reading = group.create_task(everything(ends.origin))
            await sending
            ends.client.shutdown(socket.SHUT_WR)
            assert len(await reading) == len(data)
        await loop.sock_sendall(ends.origin, b"still there")
        assert await loop.sock_recv(ends.client, 100) == b"still there"
        assert ends.ended == []

    relaying(scenario)


@pytest.mark.parametrize("side", ["client", "origin"])
def test_a_reset_is_passed_on(side: str) -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        mine, other = ends.client, ends.origin
        if side == "origin":
            mine, other = other, mine
        reset(mine)
        await ends.done.wait()
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(other, 100)

    assert relaying(scenario).ended == [CloseReason.RESET]


def test_a_cut_is_a_reset_to_both_and_happens_once() -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        ends.relay.end(CloseReason.RUN_CANCELLED)
        ends.relay.end(CloseReason.RUN_ENDED)
        for sock in (ends.client, ends.origin):
            with pytest.raises(ConnectionResetError):
                await asyncio.get_running_loop().sock_recv(sock, 100)

    assert relaying(scenario).ended == [CloseReason.RUN_CANCELLED]


def test_an_idle_relay_has_no_task_and_no_buffer() -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        assert ends.relay._client.pending is None

    relaying(scenario)
