"""Whose a socket is, from the kernel: one question for any number of sockets (sock_diag(7))."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    type Address = tuple[str, int]

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLM_F_REQUEST: Final = 1
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_REQUEST: Final = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_PORTS: Final = struct.Struct("!HH")  # source, destination
_ENDS: Final = struct.Struct("=4s12x4s12xI8s")  # source, destination, interface, cookie
_REPLY: Final = struct.Struct("=BBBB")  # family, state, timer, retransmissions
_TAIL: Final = struct.Struct("=IIIII")  # expires, queues, user, inode
_ID_BYTES = _PORTS.size + _ENDS.size
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_REPLY_BYTES = 4096
_PATIENCE_SECONDS = 1.0  # the kernel answers while it takes the question


class Diagnosis(socket.socket):
    """Asks the kernel for one socket by both its ends."""

    def __init__(self) -> None:
        super().__init__(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        self.connect((0, 0))  # only the kernel is heard
        self.settimeout(_PATIENCE_SECONDS)

    def owner(self, end: Address, other: Address) -> int | None:
        """Return the user who holds the socket `end`. Raises `OSError`."""
        wanted = _PORTS.pack(end[1], other[1])
        ends = _ENDS.pack(socket.inet_aton(end[0]), socket.inet_aton(other[0]), 0, _NO_COOKIE)
        question = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + wanted + ends
        length = _HEADER.size + len(question)
        self.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + question)
        answer = self.recv(_REPLY_BYTES)
        if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return None  # an error: there is no such socket
        at = _HEADER.size + _REPLY.size
        # Where the connection is gone the kernel shows a listener on the same port.
        if answer[at : at + _PORTS.size] != wanted:
            return None
        _, _, _, user, inode = _TAIL.unpack_from(answer, at + _ID_BYTES)
        return int(user) if inode else None  # without an inode it is shown as root's
