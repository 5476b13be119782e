"""The relay alone, between socket pairs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from netproxy.model import CloseReason
from netproxy.transport.pipes import Pipe, PipePool
from netproxy.transport.readiness import Readiness
from netproxy.transport.relay import Means, Relay
from tests.support.origins import reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


PIPE_BYTES = 256 * 1024


class How(NamedTuple):
    """From where on bytes go through pipes, and how many pipes there are."""

    splice_after: int
    pipes: int = 8


HOW = {
    "copied": How(splice_after=1 << 40),
    "spliced": How(splice_after=0),
    "first copied": How(splice_after=1 << 20),
    "without pipes": How(splice_after=0, pipes=0),
    "one pipe for both directions": How(splice_after=0, pipes=1),
}
each_way = pytest.mark.parametrize("how", HOW.values(), ids=list(HOW))


class Ends:
    """A relay between two TCP connections, and the far ends of both."""

    def __init__(self, stack: ExitStack, how: How) -> None:
        self.readiness = Readiness(asyncio.get_running_loop(), report=self._report)
        stack.callback(self.readiness.close)
        self.client, inner = pair(stack)
        self.origin, outer = pair(stack)
        self.ended: list[CloseReason] = []
        self.done = asyncio.Event()
        self.pipes = PipePool(count=how.pipes, size=PIPE_BYTES)
        stack.callback(self.pipes.close)
        means = Means(
            readiness=self.readiness,
            buffer=memoryview(bytearray(65536)),
            pipes=self.pipes,
            splice_after=how.splice_after,
        )
        self.relay = Relay(means, inner, outer, on_end=self._end)

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


def relaying(scenario: Callable[[Ends], Awaitable[None]], how: How = HOW["copied"]) -> Ends:
    async def inside() -> Ends:
        with ExitStack() as stack:
            ends = Ends(stack, how)
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


@each_way
def test_both_directions_at_once_to_the_last_byte(how: How) -> None:
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

    ends = relaying(scenario, how)
    assert ends.ended == [CloseReason.FINISHED]
    assert (ends.relay.bytes_sent, ends.relay.bytes_received) == (len(up), len(down))


@each_way
def test_what_nobody_reads_is_not_taken_in(how: How) -> None:
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
        held = waiting.held if isinstance(waiting, Pipe) else len(waiting)
        assert held <= PIPE_BYTES
        before = ends.readiness._epoll.poll(0)
        assert before == []  # and nothing spins meanwhile
        ends.client.shutdown(socket.SHUT_WR)
        assert len(await everything(ends.origin)) == taken
        ends.origin.close()
        await ends.done.wait()

    ends = relaying(scenario, how)
    assert ends.relay.bytes_sent == taken


@each_way
def test_a_half_close_waits_for_the_bytes_before_it(how: How) -> None:
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

    relaying(scenario, how)


@each_way
@pytest.mark.parametrize("side", ["client", "origin"])
def test_a_reset_is_passed_on(side: str, how: How) -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        mine, other = ends.client, ends.origin
        if side == "origin":
            mine, other = other, mine
        reset(mine)
        await ends.done.wait()
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(other, 100)

    assert relaying(scenario, how).ended == [CloseReason.RESET]


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


def test_a_pipe_is_lent_only_while_something_is_in_it() -> None:
    """Ten thousand tunnels that moved a lot once, and are idle now, hold none."""

    async def scenario(ends: Ends) -> None:
        loop = asyncio.get_running_loop()
        ends.relay.start(b"")
        for _ in range(3):
            await loop.sock_sendall(ends.client, b"x" * 1000)
            assert await loop.sock_recv(ends.origin, 2000) == b"x" * 1000
            (free,) = ends.pipes._free
            assert free.held == 0
            ends.pipes.give_back(lent(ends.pipes))

    relaying(scenario, HOW["one pipe for both directions"])


def test_bytes_in_a_pipe_that_is_cut_never_reach_another_tunnel() -> None:
    async def scenario(ends: Ends) -> None:
        ends.relay.start(b"")
        for _ in range(20):
            with suppress(BlockingIOError):
                while True:
                    ends.client.send(b"secret" * 10_000)
            await asyncio.sleep(0.001)
        stuck = ends.relay._upstream.pending
        assert isinstance(stuck, Pipe)
        assert stuck.held
        ends.relay.end(CloseReason.REVOKED)
        assert ends.pipes._free == []
        next_one = lent(ends.pipes)
        assert next_one is not stuck
        with pytest.raises(BlockingIOError):
            os.read(next_one._read_end, 1)
        next_one.close()

    relaying(scenario, HOW["one pipe for both directions"])


def lent(pipes: PipePool) -> Pipe:
    pipe = pipes.borrow()
    assert pipe is not None
    return pipe
