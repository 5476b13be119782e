"""Which streams the command may be given: those that lead to one place for life."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from sandbox.errors import PlanRefused
from sandbox.streams import Streams, refuse_ways_out, starts_in_foreground

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def own_input() -> Iterator[None]:
    """Standard input is given back afterwards."""
    saved = os.dup(0)
    yield
    os.dup2(saved, 0)
    os.close(saved)


def give(stream: socket.socket) -> None:
    os.dup2(stream.fileno(), 0)


@pytest.mark.usefixtures("own_input")
@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_DGRAM),
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_DGRAM),
    ],
)
def test_a_socket_without_a_lasting_peer_is_refused(
    family: socket.AddressFamily, kind: socket.SocketKind
) -> None:
    with socket.socket(family, kind) as stream:
        give(stream)
        with pytest.raises(PlanRefused, match="standard input is a socket"):
            refuse_ways_out()


@pytest.mark.usefixtures("own_input")
@pytest.mark.parametrize(
    ("kind", "lasts"),
    [(socket.SOCK_STREAM, True), (socket.SOCK_SEQPACKET, True), (socket.SOCK_DGRAM, False)],
)
def test_one_end_of_a_pair_is_a_stream_unless_it_can_be_connected_anew(
    kind: socket.SocketKind, lasts: bool
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours, theirs:
        give(theirs)
        if lasts:
            refuse_ways_out()
        else:
            with pytest.raises(PlanRefused):
                refuse_ways_out()


@pytest.mark.usefixtures("own_input")
def test_a_pipe_is_a_stream() -> None:
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    os.close(writing)
    refuse_ways_out()


def test_without_a_terminal_nothing_starts_in_the_foreground() -> None:
    assert not starts_in_foreground(Streams(terminals=(), path=None))
