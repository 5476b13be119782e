"""The limit that Python sets: a relay of callbacks that makes the system calls and does no more.

    python bench/bare_loop.py PORT

No policy, no record, no limits, and whatever goes wrong ends the tunnel: it believes every byte,
and serves this benchmark on loopback alone. What ours takes beyond it is what ours does beyond it;
how its SOCKS5 stands beside its CONNECT is what a round trip more costs in Python.
"""

from __future__ import annotations

import gc
import select
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFER = memoryview(bytearray(256 * 1024))
_HEAD_BYTES = 64 * 1024
_ACCEPTS = 32
_ESTABLISHED = b"HTTP/1.1 200 OK\r\n\r\n"
_ATYP_IPV4 = 1
_METHOD_CHOSEN = b"\x05\x00"
_SUCCEEDED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

_epoll = select.epoll()
_handlers: dict[int, Callable[[], None]] = {}


class _End:
    """One socket of a tunnel."""

    __slots__ = ("descriptor", "has_ended", "other", "socket")

    other: _End

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.descriptor = sock.fileno()
        self.has_ended = False

    def ready(self) -> None:
        """Hand over what came."""
        other = self.other
        try:
            count = self.socket.recv_into(_BUFFER)
            if count:
                _send(other.socket, _BUFFER[:count])
                return
        except OSError:
            self.close()
            return
        self.has_ended = True
        if other.has_ended:
            self.close()
            return
        _epoll.unregister(self.descriptor)
        with suppress(OSError):
            other.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Both of them; without a circle that somebody would have to look for."""
        other = self.other
        for end in (self, other):
            del _handlers[end.descriptor]
            end.socket.close()
        del self.other, other.other


def _send(sock: socket.socket, data: memoryview) -> None:
    """All of it; only the bulk load has more than fits, and that is alone."""
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            select.select([], [sock], [])


class _Client:
    """Somebody who has not said yet where to."""

    __slots__ = ("_is_greeted", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._is_greeted = False

    def ready(self) -> None:
        """Believe what comes to be whole."""
        said = self._socket.recv(_HEAD_BYTES)
        if self._is_greeted:
            host, port = _asked(said)
            self._tunnel(host, port, _SUCCEEDED)
        elif said[:1] == b"\x05":
            self._is_greeted = True
            self._socket.send(_METHOD_CHOSEN)
        elif said:
            name, _, number = said.split(b" ", 2)[1].rpartition(b":")
            self._tunnel(name.decode(), int(number), _ESTABLISHED)
        else:  # the load client looks first whether somebody is here
            del _handlers[self._socket.fileno()]
            self._socket.close()

    def _tunnel(self, host: str, port: int, answer: bytes) -> None:
        if not host.startswith("127."):
            raise SystemExit(f"this is for loopback, and not for {host}")
        origin = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        origin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.connect_ex((host, port)):
            origin.connect_ex((host, port))  # on loopback it is connected by now
        self._socket.send(answer)
        near, far = _End(self._socket), _End(origin)
        near.other, far.other = far, near
        _handlers[near.descriptor], _handlers[far.descriptor] = near.ready, far.ready
        _epoll.register(far.descriptor, select.EPOLLIN)


def _asked(said: bytes) -> tuple[str, int]:
    """Read a SOCKS5 request: an IPv4 address, or a name that is one in text."""
    if said[3] == _ATYP_IPV4:
        return socket.inet_ntoa(said[4:8]), int.from_bytes(said[8:10])
    end = 5 + said[4]
    return said[5:end].decode(), int.from_bytes(said[end : end + 2])


def serve(port: int) -> None:
    """Serve until somebody ends the process."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)

    def accept() -> None:
        for _ in range(_ACCEPTS):
            try:
                accepted, _address = listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            _handlers[accepted.fileno()] = _Client(accepted).ready
            _epoll.register(accepted.fileno(), select.EPOLLIN)

    _handlers[listener.fileno()] = accept
    _epoll.register(listener.fileno(), select.EPOLLIN)
    gc.disable()
    while True:
        for descriptor, _ in _epoll.poll():
            handler = _handlers.get(descriptor)
            if handler is not None:
                handler()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
