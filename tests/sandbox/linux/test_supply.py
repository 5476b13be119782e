"""Sockets of the helper that stays: how they are ordered, and what becomes of orders without it."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import pytest

from sandbox.linux.supply import SocketSupply, supply

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def channel() -> Iterator[socket.socket]:
    """Our end to a helper in a process of its own, as `sandbox.linux.namespace` starts it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    helper = os.fork()
    if helper == 0:
        ours.close()
        try:
            supply(theirs)
        finally:
            os._exit(0)
    theirs.close()
    yield ours
    ours.close()
    assert os.waitpid(helper, 0)[1] == 0, "it ends when nobody listens to it any more"


def test_sockets_of_both_families_for_as_long_as_somebody_asks(channel: socket.socket) -> None:
    async def taken() -> list[socket.socket]:
        source = SocketSupply(channel)
        try:
            many = await asyncio.gather(*(source.take(socket.AF_INET) for _ in range(20)))
            return [*many, await source.take(socket.AF_INET6)]
        finally:
            source.close()

    sockets = asyncio.run(taken())

    assert {each.family for each in sockets} == {socket.AF_INET, socket.AF_INET6}
    assert {each.type for each in sockets} == {socket.SOCK_STREAM}
    assert not any(each.getblocking() for each in sockets)
    assert len({each.fileno() for each in sockets}) == 21
    for each in sockets:
        each.close()


def test_who_leaves_takes_nothing_from_the_others(channel: socket.socket) -> None:
    async def taken() -> socket.socket:
        source = SocketSupply(channel)
        try:
            first = asyncio.create_task(source.take(socket.AF_INET))
            second = asyncio.create_task(source.take(socket.AF_INET))
            await asyncio.sleep(0)
            first.cancel()
            return await second
        finally:
            source.close()

    asyncio.run(taken()).close()


def test_what_the_helper_cant_make_is_said() -> None:
    """Such as IPv6, where the kernel has none."""

    async def taken() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        source = SocketSupply(ours)
        ours.close()  # it has one of its own
        waiting = asyncio.create_task(source.take(socket.AF_INET6))
        await asyncio.sleep(0)
        with theirs:
            assert theirs.recv(1) == b"6"
            theirs.send(b"6Address family not supported by protocol")
            with pytest.raises(OSError, match="not supported"):
                await waiting
        source.close()

    asyncio.run(taken())


def test_without_a_helper_nobody_waits() -> None:
    async def taken() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        source = SocketSupply(ours)
        ours.close()  # it has one of its own
        waiting = asyncio.create_task(source.take(socket.AF_INET))
        await asyncio.sleep(0)
        theirs.close()
        with pytest.raises(BrokenPipeError):
            await waiting
        with pytest.raises(OSError, match="Bad file descriptor"):
            await source.take(socket.AF_INET)
        source.close()

    asyncio.run(taken())
