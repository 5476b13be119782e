"""Pipes that are lent: never more than there are, never with somebody else's bytes."""

from __future__ import annotations

import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.transport.pipes import PipePool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.transport.pipes import Pipe

SIZE = 64 * 1024


@pytest.fixture
def pool() -> Iterator[PipePool]:
    made = PipePool(count=2, size=SIZE)
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setblocking(False)
    with near, far:
        yield near, far


def lent(pool: PipePool) -> Pipe:
    pipe = pool.borrow()
    assert pipe is not None
    return pipe


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_more_are_lent_than_there_are(pool: PipePool) -> None:
    first, second = lent(pool), lent(pool)
    assert pool.borrow() is None
    pool.give_back(first)
    assert pool.borrow() is first
    for pipe in (first, second):
        pool.give_back(pipe)


def test_what_is_in_one_comes_out_and_is_counted(
    pool: PipePool, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    pipe = lent(pool)
    near.send(b"hello")
    assert (pipe.fill(far.fileno()), pipe.held) == (5, 5)
    pipe.drain(far.fileno())
    assert pipe.held == 0
    assert near.recv(10) == b"hello"
    with pytest.raises(BlockingIOError):
        pipe.fill(far.fileno())
    near.shutdown(socket.SHUT_WR)
    assert pipe.fill(far.fileno()) == 0
    pool.give_back(pipe)


def test_one_that_is_not_empty_is_nobody_elses(
    pool: PipePool, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    pipe = lent(pool)
    near.send(b"secret")
    pipe.fill(far.fileno())
    before = descriptors()
    pool.give_back(pipe)
    assert descriptors() == before - 2
    again = [lent(pool), lent(pool)]
    assert pipe not in again
    for each in again:
        pool.give_back(each)


def test_out_of_descriptors_there_is_none_and_later_there_is(pool: PipePool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        assert pool.borrow() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    pool.give_back(lent(pool))


def test_a_size_that_the_kernel_refuses_leaves_a_smaller_pipe(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    pool = PipePool(count=1, size=1 << 40)
    near, far = ends
    pipe = lent(pool)
    near.send(b"x" * 1000)
    assert pipe.fill(far.fileno()) == 1000
    pipe.close()
    pool.close()


def test_those_that_come_back_to_a_closed_pool_are_closed(pool: PipePool) -> None:
    before = descriptors()
    pipe, other = lent(pool), lent(pool)
    pool.give_back(other)
    pool.close()
    assert descriptors() == before + 2
    pool.give_back(pipe)
    assert descriptors() == before
