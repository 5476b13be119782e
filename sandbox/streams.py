"""Our own standard streams: which are terminals, and which the command must not be given."""

from __future__ import annotations

import os
import socket
import stat

from otel.values import dataclass
from sandbox.errors import PlanRefused

_NAMES = ("standard input", "standard output", "standard error")
# Their sockets keep their peer for life; a datagram socket can be connected anew.
_LASTING = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Which of the command's streams are terminals, and which terminal that is."""

    terminals: tuple[int, ...]
    path: str | None  # of the user's terminal; None without one

    @property
    def word(self) -> str:
        """As the monitor reads it."""
        return "".join(map(str, self.terminals)) or "-"


def inspect_streams() -> Streams:
    """Look at our own standard streams; the command's will be like them."""
    terminals = tuple(number for number in (0, 1, 2) if is_terminal(number))
    path = os.ttyname(terminals[0]) if terminals else None
    return Streams(terminals=terminals, path=path)


def refuse_ways_out() -> None:
    """Raise PlanRefused for a stream through which the command could reach more than the stream.

    A network socket belongs to the host's network: connect(2) with AF_UNSPEC frees it for another
    peer. From a folder openat(2) would pass every read-only mount; Python doesn't start with one.
    """
    for number, name in enumerate(_NAMES):
        if stat.S_ISSOCK(os.fstat(number).st_mode) and not _is_lasting(number):
            raise PlanRefused(
                f"{name} is a socket that can be connected to something else; put a pipe between, "
                "as in: cat | netproxy run …"
            )


def _is_lasting(number: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as stream:
        if stream.family != socket.AF_UNIX or stream.type not in _LASTING:
            return False
        try:
            stream.getpeername()
        except OSError:
            return False
    return True


def is_terminal(descriptor: int) -> bool:
    """Whether it is one. A stream that is closed is none; Python has no file for it."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def starts_in_foreground(streams: Streams) -> bool:
    """Whether the command starts in its terminal's foreground.

    In a pipeline, or as a background job, it starts in the background as it would without us; the
    kernel stops it when it first needs the terminal, and then it gets it (sudo's use_pty does so).
    """
    if streams.path is None or not {0, 1} <= set(streams.terminals):
        return False
    try:
        return os.tcgetpgrp(streams.terminals[0]) == os.getpgrp()
    except OSError:
        return False
