"""TCP sockets as the kernel has them: the C type below `socket.socket`, without the layer above it.

That layer counts files that were made of a socket, and turns numbers into enumerations at each
look. Every tunnel has two sockets, and it took one part in forty of all that a tunnel takes.
"""

from __future__ import annotations

import _socket
import errno
import socket
from typing import Final

# What `socket.socket` is made of, so that is one, too.
Socket = _socket.socket

# Out of descriptors or memory: others have to close something first. Whoever accepts rests that
# long, for the client stays in the queue, and the listener ready.
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_SECONDS: Final = 0.1
# What routers and neighbours said last when the kernel gives a connection up (tcp(7): ICMP errors),
# and our own interface: no `ConnectionError` of Python's, but the peer is just as gone.
_OUT_OF_REACH: Final = frozenset(
    {
        errno.EACCES, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET,
        errno.ENETUNREACH, errno.ENONET, errno.ENOPROTOOPT, errno.EPERM, errno.EPROTO,
    }
)  # fmt: skip

_STREAM: Final = int(socket.SOCK_STREAM)
_NEW: Final = _STREAM | socket.SOCK_NONBLOCK


def accept(listener: socket.socket, family: int) -> tuple[Socket, object]:
    """Take one client: its socket, which doesn't block, and address. Raises `OSError`.

    `family` is the listener's.
    """
    descriptor, address = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001  # the C type's own
    accepted = Socket(family, _STREAM, 0, descriptor)
    accepted.setblocking(False)
    return accepted, address


def is_gone(problem: BaseException) -> bool:
    """Whether it says no more than that the peer of a connection is not there any more."""
    if isinstance(problem, ConnectionError | TimeoutError):
        return True
    return isinstance(problem, OSError) and problem.errno in _OUT_OF_REACH


def tcp_socket(address: str) -> Socket:
    """Make one that doesn't block, for a peer at this address. Raises `OSError`."""
    made = Socket(socket.AF_INET6 if ":" in address else socket.AF_INET, _NEW, 0)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
