"""Who is told when, of sockets that are ready in the same moment."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from netproxy.transport.readiness import READABLE, Readiness

if TYPE_CHECKING:
    from collections.abc import Callable


class Batch:
    """Two sockets with something to read; what their handlers do is written down."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def handled(self, handler: Callable[[Readiness, str], None]) -> list[str]:
        """Let both be handled, by name, and give what was told."""
        readiness = Readiness(asyncio.get_running_loop(), report=self.told.append)
        pairs = {name: socket.socketpair() for name in "ab"}
        for name, (near, far) in pairs.items():
            far.send(b"x")

            def heard(_: int, name: str = name, near: socket.socket = near) -> None:
                near.recv(1)
                self.told.append(f"{name} heard")
                handler(readiness, name)

            readiness.watch(near.fileno(), READABLE, heard)
        await asyncio.sleep(0.01)
        readiness.close()
        for pair in pairs.values():
            for each in pair:
                each.close()
        return self.told


def test_what_is_left_to_the_end_comes_after_all_of_the_batch() -> None:
    batch = Batch()

    def handler(readiness: Readiness, name: str) -> None:
        readiness.at_end(lambda: batch.told.append(f"{name} answered"))

    told = asyncio.run(batch.handled(handler))
    assert sorted(told[:2]) == ["a heard", "b heard"]
    assert [line[0] for line in told[2:]] == [line[0] for line in told[:2]]
    assert {line[2:] for line in told[2:]} == {"answered"}


def test_one_that_fails_is_told_and_keeps_no_other() -> None:
    batch = Batch()

    def fail() -> None:
        raise RuntimeError("ours")

    def handler(readiness: Readiness, name: str) -> None:
        readiness.at_end(fail)
        readiness.at_end(lambda: batch.told.append(f"{name} answered"))

    told = asyncio.run(batch.handled(handler))
    assert [line for line in told if "RuntimeError('ours')" in line] == [
        "netproxy: a connection failed inside the gateway: RuntimeError('ours')"
    ] * 2
    assert sorted(line for line in told if "answered" in line) == ["a answered", "b answered"]


def test_outside_of_a_batch_it_is_done_at_once() -> None:
    told: list[str] = []

    async def run() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=told.append)
        readiness.at_end(lambda: told.append("answered"))
        assert told == ["answered"]
        readiness.close()

    asyncio.run(run())
