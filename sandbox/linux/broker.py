"""Connects the command's unix sockets to those of this host that it may use, and to no other.

Every connect(2) and bind(2) of the command waits here. For a path that was given, the broker makes
a connection of its own to that very socket (the file that was there at the start, whatever the path
leads to by now), and puts one end of a pair in place of the command's descriptor. So bytes pass,
and neither descriptors nor anybody's identity. TCP and UDP sockets are connected and bound as the
command asked, on the socket itself and with a copy of the address: what is judged is the socket
that is held here, and what is done is done to that one. Everything else is refused. Never is a call
let go on by itself: the command could point it elsewhere in between.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sandbox.linux import notifications
from sandbox.linux.sockaddr import path_of, port_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from io import FileIO

    from sandbox.linux.notifications import Call
    from sandbox.linux.notify_filter import Calls

# struct sockaddr_storage: the kernel takes no longer address.
_ADDRESS_BYTES = 128
_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
_NETLINK_PEER: Final = slice(4, 12)  # struct sockaddr_nl: nl_pid and nl_groups
# Our capabilities in the command's network are not the command's: it binds no port below.
_FIRST_PORT: Final = 1024
# So many connects over TCP may wait at a time; the rest wait for those. In the command's network
# they are over at once, unless it has filled somebody's queue itself.
_THREADS = 16
# A server of this host has no room for one more: natively a connect that blocks waits for some.
# The kernel tells nobody when there is.
_FULL_SECONDS = 0.05
_TIMEVAL_BYTES = 16
# Taken in one turn; then others have theirs.
_CALLS = 16
_kernel = ctypes.CDLL(None, use_errno=True)


class Broker:
    """Of one run. Make it inside a running loop; it owns the listener, and knows who asks for what.

    `places`: O_PATH descriptors of the sockets of this host, by the path that they go by.
    `linked` is given that path, our end of the pair, and our connection to the host's socket.
    """

    def __init__(  # noqa: PLR0913  # what it answers, and whom it tells
        self,
        listener: FileIO,
        calls: Calls,
        places: Mapping[str, int],
        *,
        loop: asyncio.AbstractEventLoop,
        linked: Callable[[str, socket.socket, socket.socket], None],
        refused: Callable[[str], None],
    ) -> None:
        self._listener, self._calls, self._places = listener, calls, places
        self._loop, self._linked, self._refused = loop, linked, refused
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="connect")
        self._waiting: set[socket.socket] = set()
        self._poll = select.poll()
        self._poll.register(listener.fileno(), select.POLLIN)
        loop.add_reader(listener, self._ready)

    def close(self) -> None:
        """Answer nothing more: what still waits fails, and so does whatever comes."""
        if self._listener.closed:
            return
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for each in tuple(self._waiting):
            with suppress(OSError):  # it was connected, or is gone
                each.shutdown(socket.SHUT_RDWR)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> None:
        for _ in range(_CALLS):
            if self._listener.closed:
                return
            # Asked first: taking a call waits for one where there is none.
            events = self._poll.poll(0)
            if not events:
                return
            if not events[0][1] & select.POLLIN:  # nobody is left who could call
                self.close()
                return
            call = notifications.receive(self._listener.fileno())
            if call is not None:
                self._take(call)

    def _take(self, call: Call) -> None:
        try:
            error = self._answer(call)
        except OSError as problem:
            error = problem.errno or errno.EACCES
        self._say(call, error)

    def _take_again(self, call: Call) -> None:
        """Look at all of it anew."""
        if not self._listener.closed:
            self._take(call)

    def _say(self, call: Call, error: int | None) -> None:
        if error is not None and not self._listener.closed:
            call.answer(error)

    def _answer(self, call: Call) -> int | None:
        """Do what is asked for; None: a thread does, and answers. Raises `OSError`."""
        length = call.integer(2)
        if length > _ADDRESS_BYTES:
            return errno.EINVAL
        address = call.memory(call.arguments[1], length)
        asked = _socket_of(call)
        try:
            if not call.still_waits():
                return None  # whatever was found belongs to somebody else
            if asked.family in _INTERNET:
                return self._internet(call, asked, address)
            if asked.family == socket.AF_NETLINK:
                return self._kernel(call, asked, address)
            return self._path(call, asked, address)
        finally:
            if asked not in self._waiting:
                asked.close()

    def _internet(self, call: Call, asked: socket.socket, address: bytes) -> int | None:
        if call.number == self._calls.bind:
            if 0 < port_of(address) < _FIRST_PORT:
                return errno.EACCES
            return _done(_kernel.bind, asked, address)
        if asked.type != socket.SOCK_STREAM:
            return _done(_kernel.connect, asked, address)
        # In a thread, blocking or not: that is the command's to change between a look and the call.
        self._waiting.add(asked)
        self._threads.submit(self._connect, call, asked, address)
        return None

    def _connect(self, call: Call, asked: socket.socket, address: bytes) -> None:
        """In a thread of its own: it may take as long as it takes."""
        error = _done(_kernel.connect, asked, address)
        with suppress(RuntimeError):  # the run is over, and so is its loop
            self._loop.call_soon_threadsafe(self._over, call, asked, error)

    def _over(self, call: Call, asked: socket.socket, error: int) -> None:
        self._waiting.discard(asked)
        asked.close()
        self._say(call, error)

    def _kernel(self, call: Call, asked: socket.socket, address: bytes) -> int:
        """To be one of those who ask the kernel is everybody's; groups and peers are not."""
        if any(address[_NETLINK_PEER]):
            return errno.EPERM
        act = _kernel.bind if call.number == self._calls.bind else _kernel.connect
        return _done(act, asked, address)

    def _path(self, call: Call, asked: socket.socket, address: bytes) -> int | None:
        path = path_of(address)
        place = None if path is None else self._places.get(path)
        is_connect = call.number == self._calls.connect
        is_stream = (asked.family, asked.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
        if path is None or place is None or not is_connect or not is_stream:
            self._refused(path or "no path")
            return errno.EACCES
        if _is_connected(asked):
            return errno.EISCONN
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            far.connect(f"/proc/self/fd/{place}")
            ours = self._put_end(call, asked)
        except BlockingIOError:
            far.close()
            if _is_nonblocking(asked) or _has_limit(asked):
                raise
            self._loop.call_later(_FULL_SECONDS, self._take_again, call)
            return None
        except BaseException:
            far.close()
            raise
        self._linked(path, ours, far)
        return 0

    def _put_end(self, call: Call, asked: socket.socket) -> socket.socket:
        """Give the command one end of a pair in place of its socket, and return the other."""
        number = call.integer(0)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                ours.setblocking(False)
                theirs.setblocking(not _is_nonblocking(asked))
                is_kept = call.is_kept_by_programs(number)
                call.replace(number, theirs.fileno(), is_kept=is_kept)
            except BaseException:
                ours.close()
                raise
        return ours


def _socket_of(call: Call) -> socket.socket:
    descriptor = call.descriptor(call.integer(0))
    try:
        return socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise


def _is_nonblocking(asked: socket.socket) -> bool:
    """Of the open file, which both sides share; Python's own idea of it is another."""
    return bool(fcntl.fcntl(asked.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK)


def _has_limit(asked: socket.socket) -> bool:
    """Whether it would wait for a time only, and be told the same then."""
    limit = asked.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL_BYTES)
    return any(limit)


def _is_connected(asked: socket.socket) -> bool:
    try:
        asked.getpeername()
    except OSError:
        return False
    return True


def _done(act: Callable[..., int], asked: socket.socket, address: bytes) -> int:
    """Return 0, or the errno."""
    return 0 if act(asked.fileno(), address, len(address)) == 0 else ctypes.get_errno()
