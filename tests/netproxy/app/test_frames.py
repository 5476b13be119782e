"""Messages come whole, with their open files, however they were cut on the way."""

from __future__ import annotations

import os
import resource
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.frames import LONGEST_BYTES, Frames, Line, framed
from sandbox.errors import LaunchFailed
from sandbox.wire import Handle

MESSAGES = (("run", {"a": "b"}), ("go", None), ("closing", ("x" * 300, 1)))


@given(st.lists(st.integers(min_value=1, max_value=64), min_size=1))
def test_where_the_bytes_are_split_does_not_matter(sizes: list[int]) -> None:
    data = b"".join(framed(message)[0] for message in MESSAGES)
    frames, found, at = Frames(), [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        frames.feed(data[at : at + size])
        at += size
        while (message := frames.take()) is not None:
            found.append(message)
    assert tuple(found) == MESSAGES


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((LONGEST_BYTES + 1).to_bytes(4) + b"\0", id="too-long"),
        pytest.param((2).to_bytes(4) + b"\1" + b"{}", id="a-file-that-did-not-come"),
        pytest.param((1).to_bytes(4) + b"\0" + b"{", id="not-ours"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    frames = Frames()
    frames.feed(data)
    with pytest.raises(LaunchFailed):
        frames.take()


def test_two_ends_of_a_line() -> None:
    """Files come as the receiver's own, closed at exec; what nobody took is closed at the end."""
    mine, yours = socket.socketpair()
    here, there = Line(mine), Line(yours)
    reading, writing = os.pipe()
    try:
        here.send("run", {"directory": Handle(writing), "words": "w" * 200_000})
        found = there.receive()
        assert found is not None
        kind, value = found
        os.write(value["directory"].fileno(), b"x")
        assert (kind, len(value["words"]), os.read(reading, 2)) == ("run", 200_000, b"x")
        assert not os.get_inheritable(value["directory"].fileno())
        os.close(value["directory"].fileno())
        socket.send_fds(mine, [b"\0"], [writing])
        os.close(writing)
        there.has_patience(0.01)
        with pytest.raises(TimeoutError):
            there.receive()
        there.close()
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)
        here.close()
    assert there.fileno() == -1


def test_files_that_were_lost_on_their_way_are_named() -> None:
    """No number is free for them here: the kernel drops them, and says so."""
    mine, yours = socket.socketpair()
    line = Line(yours)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    Line(mine).send("run", {"directory": Handle(mine.fileno())})
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
    try:
        with pytest.raises(LaunchFailed, match="ulimit -n"):
            line.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        line.close()
        mine.close()


def test_who_hangs_up_says_nothing() -> None:
    mine, yours = socket.socketpair()
    mine.close()
    line = Line(yours)
    assert line.receive() is None
    line.close()
