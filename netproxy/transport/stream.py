"""A non-blocking socket with awaitable reads and writes, for all that is not plain relaying.

Tries first and waits only where the kernel says so. Waiting has no limit of its own: callers put
one round it. `unread` keeps bytes that were read too early for whoever reads next.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netproxy.transport.readiness import BROKEN, ENDED, READABLE, WRITABLE, Readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.transport.sockets import Socket

# SO_LINGER on with zero seconds: close sends RST, so the peer can't take a cut for an end.
_ABORT = struct.pack("ii", 1, 0)


class Stream:
    """One side of a connection. Owns its socket until `release`.

    `sent` is how many bytes the kernel took so far.
    """

    __slots__ = (
        "_events",
        "_is_hurried",
        "_limit",
        "_on_gone",
        "_on_stir",
        "_reader",
        "_writer",
        "descriptor",
        "readiness",
        "sent",
        "socket",
        "unread",
    )

    def __init__(self, sock: Socket, readiness: Readiness, *, limit: int) -> None:
        self.socket = sock
        self.descriptor = sock.fileno()
        self.readiness = readiness
        self.unread = b""
        self.sent = 0
        self._limit = limit
        self._events = 0
        self._is_hurried = False  # the last read had not to wait
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._on_gone: Callable[[], None] | None = None
        self._on_stir: Callable[[], None] | None = None

    def receive_now(self) -> bytes | None:
        """Return what is there: None for nothing yet, b"" for the end. Raises `OSError`."""
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        try:
            return self.socket.recv(self._limit)
        except BlockingIOError:
            return None

    async def receive(self, *, looks_first: bool = True) -> bytes:
        """Wait for bytes; b"" is the end. Raises `OSError`.

        A peer that was answered only just now has sent nothing yet: looking first is for nothing.
        A peer so fast that nobody ever waits for it must not stop all others: they have their turn
        between two such reads. Nothing is read yet then that a cancelled wait would take along.
        """
        if self._is_hurried:
            self._is_hurried = False
            await asyncio.sleep(0)
        data = self.receive_now() if looks_first or self.unread else None
        self._is_hurried = data is not None
        while data is None:
            self._reader = self.readiness.loop.create_future()
            self._want(self._events | READABLE)
            try:
                await self._reader
            finally:
                self._reader = None
            data = self.receive_now()
        return data

    async def send(self, data: bytes) -> None:
        """Hand all of it to the kernel. Raises `OSError`."""
        rest = self.send_now(data) if data else data
        while rest:
            self._writer = self.readiness.loop.create_future()
            self._want(self._events | WRITABLE)
            try:
                await self._writer
            finally:
                self._writer = None
            rest = self.send_now(rest)

    def send_now(self, data: bytes) -> bytes:
        """Hand the kernel what it takes at once; the rest comes back. Raises `OSError`."""
        try:
            taken = self.socket.send(data)
        except BlockingIOError:
            return data
        self.sent += taken
        return data[taken:]

    @contextmanager
    def watched(self, on_gone: Callable[[], None]) -> Iterator[None]:
        """Call `on_gone` if the peer leaves meanwhile. Bytes that come early are kept, bounded."""
        self._on_gone = on_gone
        self._want(self._events | READABLE)
        try:
            yield
        finally:
            self._on_gone = None
            self._want(self._events & ~ENDED)

    def rest(self, on_stir: Callable[[], None]) -> None:
        """Say once when there is something to read, be it bytes or the end."""
        self._on_stir = on_stir
        self._is_hurried = False
        self._want(READABLE)

    def wake(self) -> bool:
        """Rest no more. False if something came that was not told of yet."""
        self._on_stir = None
        return self.is_silent()

    def is_silent(self) -> bool:
        """Nothing came that was not told of yet, be it bytes or the end."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self.unread
        except OSError:
            return False
        return False

    def is_over(self) -> bool:
        """The peer has said its end, and nothing before that is left. Raises `OSError`."""
        # A reset comes behind what was sent before it, which nobody may be reading.
        if code := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        try:
            return not self.unread and not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    def shut_writing(self) -> None:
        """Say that nothing more comes, so that the peer reads an end and not a reset."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is gone already, and the next read says so

    def hand_over(self) -> int:
        """Give the socket to who sets a handler of its own; it stays watched for these events."""
        events, self._events = self._events, 0
        return events

    def release(self) -> Socket:
        """Give the socket away; it is watched no more."""
        self._want(0)
        return self.socket

    def close(self) -> None:
        """Close in good order: what was sent arrives."""
        self.readiness.drop(self.descriptor)
        self._events = 0
        self._on_stir = None  # whoever it is holds this stream, as a rule
        self.socket.close()

    def abort(self) -> None:
        """Close with a reset."""
        abort(self.socket)
        self.close()

    def _want(self, events: int) -> None:
        if events == self._events:
            return
        if not events:
            self.readiness.forget(self.descriptor)
        elif self._events:
            self.readiness.change(self.descriptor, events, self._ready)
        else:
            self.readiness.watch(self.descriptor, events, self._ready)
        self._events = events

    def _ready(self, events: int) -> None:
        unclaimed = 0
        if events & (ENDED | BROKEN) and self._events & ENDED and self._on_gone is not None:
            unclaimed |= ENDED
            self._on_gone()
        if events & (READABLE | BROKEN) and self._events & READABLE:
            unclaimed |= self._readable()
        if events & (WRITABLE | BROKEN) and self._events & WRITABLE:
            unclaimed |= _wake(self._writer, WRITABLE)
        if unclaimed:
            self._want(self._events & ~unclaimed)

    def _readable(self) -> int:
        """Wake the reader, or keep what came early; READABLE when nobody wants to know."""
        if self._on_stir is not None:
            on_stir, self._on_stir = self._on_stir, None
            on_stir()
            return 0
        if self._on_gone is None or self._reader is not None:
            return _wake(self._reader, READABLE)
        room = self._limit - len(self.unread)
        if room <= 0:  # the kernel has the rest, but for the end
            self._want(self._events | ENDED)
            return READABLE
        try:
            data = self.socket.recv(room)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self.unread += data
            return 0
        self._on_gone()
        return READABLE


def _wake(waiter: asyncio.Future[None] | None, event: int) -> int:
    """Wake whoever waits. Without anybody the event is not watched until somebody asks again."""
    if waiter is None:
        return event
    if not waiter.done():
        waiter.set_result(None)
    return 0


def abort(sock: Socket) -> None:
    """Make the coming close a reset."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    except OSError:
        return  # already gone
