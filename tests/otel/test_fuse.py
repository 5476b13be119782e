"""A connection is cut when its time is over, and not before."""

from __future__ import annotations

import socket
import time

import pytest

from otel.fuse import Fuse


def test_what_takes_too_long_is_cut_in_the_middle_of_a_read() -> None:
    fuse, (near, far) = Fuse(), socket.socketpair()
    with near, far, fuse.lit(0.05):
        fuse.guard(near)
        assert near.recv(1) == b"", "nobody sent anything, and nobody hung up"
        assert far.recv(1) == b""
    assert fuse.has_blown


def test_what_comes_in_time_is_left_alone_and_so_is_the_next() -> None:
    fuse, (near, far) = Fuse(), socket.socketpair()
    with near, far:
        with fuse.lit(5.0):
            fuse.guard(near)
        assert not fuse.has_blown
        with fuse.lit(5.0):
            far.sendall(b"x")
            assert near.recv(1) == b"x"


def test_a_connection_that_is_made_too_late_is_cut_at_once() -> None:
    fuse, (near, far) = Fuse(), socket.socketpair()
    with near, far, fuse.lit(0.0):
        while not fuse.has_blown:
            time.sleep(0.001)
        fuse.guard(near)
        assert near.recv(1) == b""


def test_what_fails_leaves_no_connection_behind() -> None:
    fuse, (near, far) = Fuse(), socket.socketpair()

    def fail() -> None:
        with near, fuse.lit(5.0):
            fuse.guard(near)
            raise OSError("broken")

    with far:
        with pytest.raises(OSError, match="broken"):
            fail()
        assert far.recv(1) == b""
    assert not fuse.has_blown


def test_a_connection_that_is_kept_goes_with_its_fuse() -> None:
    fuse, (near, far) = Fuse(), socket.socketpair()
    with far:
        with near:
            fuse.guard(near)
        del fuse
        assert far.recv(1) == b""
