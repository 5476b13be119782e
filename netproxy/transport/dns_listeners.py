"""Where the command's questions for names come in: UDP and TCP sockets of its own network.

Every question is answered at once (`connection.name_server`), so nothing waits here but a client
of TCP: for a limited time, and few at once.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from netproxy.transport.deadline import Deadline
from netproxy.transport.readiness import READABLE, Readiness
from netproxy.transport.sockets import EXHAUSTED, EXHAUSTED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    # What a message is answered with; None: nothing.
    type Answer = Callable[[memoryview], bytes | None]

# So many are answered at a time; then others have their turn.
_BATCH: Final = 64
# A question is below 300 bytes, with EDNS and a cookie. What is longer is cut, and malformed then.
_MESSAGE_BYTES: Final = 4096
_LENGTH_BYTES: Final = 2  # before each message on TCP (RFC 1035 section 4.2.2)
# A stub resolver has one. Whoever opens more loses those that it opened first.
_TCP_CLIENTS: Final = 32
# From one whole question to the next. Stub resolvers send it at once (RFC 7766 section 6.2.3).
_TCP_SECONDS: Final = 5.0


class DnsListeners:
    """Answers on all sockets until it is closed, and owns them."""

    def __init__(
        self,
        readiness: Readiness,
        answer: Answer,
        *,
        udp: Iterable[socket.socket],
        tcp: Iterable[socket.socket],
        tcp_seconds: float = _TCP_SECONDS,
    ) -> None:
        self._readiness = readiness
        self._answer = answer
        self._buffer = memoryview(bytearray(_MESSAGE_BYTES))
        self._sockets = (*udp, *tcp)
        self._clients: dict[_Client, None] = {}  # in the order in which they came
        self._deadline = Deadline(readiness.loop, tcp_seconds)
        for each in self._sockets:
            each.setblocking(False)
            self._watch(each)

    def close(self) -> None:
        """Answer nobody any more."""
        for client in tuple(self._clients):
            self._hang_up(client)
        self._deadline.close()
        for each in self._sockets:
            self._readiness.drop(each.fileno())
            each.close()

    def _watch(self, sock: socket.socket) -> None:
        take = self._take_datagrams if sock.type == socket.SOCK_DGRAM else self._accept
        self._readiness.watch(sock.fileno(), READABLE, lambda _: take(sock))

    def _take_datagrams(self, sock: socket.socket) -> None:
        buffer, answer = self._buffer, self._answer
        for _ in range(_BATCH):
            try:
                count, source = sock.recvfrom_into(buffer)
            except OSError:  # nothing more for now, or an error of an earlier answer
                return
            said = answer(buffer[:count])
            if said is not None:
                try:
                    sock.sendto(said, source)
                except OSError:
                    continue  # lost, as datagrams may be: the client asks again

    def _accept(self, sock: socket.socket) -> None:
        try:
            accepted, _ = sock.accept()
        except OSError as problem:
            if problem.errno in EXHAUSTED:
                self._readiness.forget(sock.fileno())
                self._readiness.loop.call_later(EXHAUSTED_SECONDS, self._watch_again, sock)
            return
        accepted.setblocking(False)
        client = _Client(accepted)
        self._clients[client] = None
        self._readiness.watch(client.descriptor, READABLE, lambda _: self._hear(client))
        self._wait_for(client)
        if len(self._clients) > _TCP_CLIENTS:
            self._hang_up(next(iter(self._clients)))

    def _watch_again(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:  # not closed meanwhile
            self._watch(sock)

    def _wait_for(self, client: _Client) -> None:
        self._deadline.begin(client, lambda: self._hang_up(client))

    def _hear(self, client: _Client) -> None:
        """Answer all questions that are whole; hang up on who breaks off, or doesn't listen."""
        try:
            count = client.socket.recv_into(self._buffer)
            client.heard += self._buffer[:count]
            is_going_on = count > 0 and self._answer_all(client)
        except BlockingIOError:
            return
        except OSError:
            is_going_on = False
        if not is_going_on:
            self._hang_up(client)

    def _answer_all(self, client: _Client) -> bool:
        """Raises `OSError`."""
        answers: list[bytes] = []
        at, heard = 0, bytes(client.heard)
        while len(heard) >= at + _LENGTH_BYTES:
            length = int.from_bytes(heard[at : at + _LENGTH_BYTES])
            if length > _MESSAGE_BYTES:
                return False
            end = at + _LENGTH_BYTES + length
            if len(heard) < end:
                break
            answer = self._answer(memoryview(heard)[at + _LENGTH_BYTES : end])
            if answer is not None:
                answers += len(answer).to_bytes(_LENGTH_BYTES), answer
            at = end
        if at:
            del client.heard[:at]
            self._deadline.end(client)
            self._wait_for(client)
        said = b"".join(answers)
        return not said or client.socket.send(said) == len(said)

    def _hang_up(self, client: _Client) -> None:
        del self._clients[client]
        self._deadline.end(client)
        self._readiness.drop(client.descriptor)
        client.socket.close()


class _Client:
    """Who asks over TCP, and the beginning of its next question."""

    __slots__ = ("descriptor", "heard", "socket")

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.descriptor = sock.fileno()
        self.heard = bytearray()
