"""Messages with open files between a launcher and a gateway, over a stream socket (unix(7)).

A message is its length in four bytes, the number of its descriptors in one, and its text; the
descriptors come with its first byte (SCM_RIGHTS).
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from sandbox.errors import LaunchFailed
from sandbox.wire import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_LENGTH_BYTES = _INT_BYTES = 4
_HEAD_BYTES = _LENGTH_BYTES + 1
# An argument list and an environment have 6 MiB at most (execve(2): a quarter of the stack's limit,
# and never more than 3/4 of 8 MiB); escaped for JSON a byte takes six.
LONGEST_BYTES = 40 * 1024 * 1024
_PIECE_BYTES = 256 * 1024
_MOST_DESCRIPTORS = 253  # net/scm.h: more don't fit one message


def framed(message: object) -> tuple[bytes, list[int]]:
    """Return the bytes of a message, and its descriptors, which stay the caller's."""
    text, descriptors = pack(message)
    head = len(text).to_bytes(_LENGTH_BYTES) + bytes([len(descriptors)])
    return head + text, descriptors


class Frames:
    """Pieces in, messages out. Descriptors that are in no message yet are closed by `close`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._descriptors: list[int] = []

    def feed(self, data: bytes, descriptors: Iterable[int] = ()) -> None:
        """Add what came."""
        self._data += data
        self._descriptors += descriptors

    def take(self) -> Any:
        """The next message; None: it is not whole yet. Raises LaunchFailed for what is none."""
        if len(self._data) < _HEAD_BYTES:
            return None
        length, count = int.from_bytes(self._data[:_LENGTH_BYTES]), self._data[_LENGTH_BYTES]
        if length > LONGEST_BYTES or count > len(self._descriptors):
            raise LaunchFailed(f"a message of {length} bytes with {count} descriptors is none")
        end = _HEAD_BYTES + length
        if len(self._data) < end:
            return None
        text = bytes(self._data[_HEAD_BYTES:end])
        del self._data[:end]
        mine, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return unpack(text, mine)

    def close(self) -> None:
        """Nobody takes anything any more."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def read_piece(connection: socket.socket, frames: Frames) -> bool:
    """Read once into `frames`. False: the other side hung up. Raises `OSError`, LaunchFailed."""
    # Not socket.recv_fds: it takes flags and drops them, and a program started later would inherit.
    data, ancillary, flags, _ = connection.recvmsg(
        _PIECE_BYTES, socket.CMSG_LEN(_MOST_DESCRIPTORS * _INT_BYTES), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            frames.feed(b"", memoryview(rights).cast("i"))
    if flags & socket.MSG_CTRUNC:
        raise LaunchFailed("open files were lost on their way: more may have to be open: ulimit -n")
    frames.feed(data)
    return bool(data)


class Line:
    """The launcher's end: it waits for every word."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._frames = Frames()

    def fileno(self) -> int:
        """To wait for what comes beside other things."""
        return self._connection.fileno()

    def has_patience(self, seconds: float) -> None:
        """From now on a word may take so long to come."""
        self._connection.settimeout(seconds)

    def send(self, kind: str, value: object = None) -> None:
        """Raises `OSError`."""
        data, descriptors = framed((kind, value))
        sent = socket.send_fds(self._connection, [data], descriptors)
        if sent < len(data):  # to send nothing to who has answered and hung up already is an error
            self._connection.sendall(data[sent:])

    def receive(self) -> tuple[str, Any] | None:
        """The next message; None: the other side has hung up. Raises `OSError`, LaunchFailed."""
        while (message := self._frames.take()) is None:
            if not read_piece(self._connection, self._frames):
                return None
        kind, value = message
        return kind, value

    def close(self) -> None:
        """Hang up."""
        self._frames.close()
        self._connection.close()
