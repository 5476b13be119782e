"""Origins on loopback, in threads: what they do next to a connection is a plain function."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

type Serve = Callable[[socket.socket], None]

PATIENCE_SECONDS = 20.0


class Origin:
    """Listens, and serves each connection in a thread of its own."""

    def __init__(self, serve: Serve, *, family: socket.AddressFamily = socket.AF_INET) -> None:
        self._serve = serve
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._listener.listen(512)
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        with connection, suppress(OSError):
            self._serve(connection)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(PATIENCE_SECONDS)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)


@contextmanager
def origin(serve: Serve, *, family: socket.AddressFamily = socket.AF_INET) -> Iterator[Origin]:
    running = Origin(serve, family=family)
    try:
        yield running
    finally:
        running.close()


def echo(connection: socket.socket) -> None:
    """Send back everything, and then the end."""
    while data := connection.recv(65536):
        connection.sendall(data)


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head of one HTTP message, and what came after it."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("no head")
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def read_all(connection: socket.socket) -> bytes:
    received = bytearray()  # grows in place: tests send megabytes
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return bytes(received)


class Recorder:
    """Answers each request with fixed bytes, and keeps all that it was sent."""

    def __init__(self, response: bytes, *, until_end: bool = False) -> None:
        self._response = response
        self._until_end = until_end
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        head, body = read_head(connection)
        self.heads.append(head)
        body = self._body(connection, head, body)
        self.bodies.append(body)
        connection.sendall(self._response)

    def _body(self, connection: socket.socket, head: bytes, body: bytes) -> bytes:
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            while not body.endswith(b"0\r\n\r\n"):
                data = connection.recv(65536)
                if not data:
                    break
                body += data
        elif b"content-length: " in lower:
            length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(body) < length:
                data = connection.recv(65536)
                if not data:
                    break
                body += data
        return body


class Keeper:
    """Answers one request after the other on each connection, with what `answer` says.

    None closes instead. `heads` are all that it was sent, each with the number of its connection.
    """

    def __init__(
        self, answer: Callable[[bytes], bytes | None], *, closes_after: int | None = None
    ) -> None:
        self._answer = answer
        self._closes_after = closes_after  # so many answers on one connection
        self.heads: list[tuple[int, bytes]] = []
        self.connections: list[socket.socket] = []
        self.ended = 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections.append(connection)
        try:
            self._serve(connection)
        finally:
            self.ended += 1

    def _serve(self, connection: socket.socket) -> None:
        number, count, received = len(self.connections), 0, b""
        while count != self._closes_after:
            while b"\r\n\r\n" not in received:
                data = connection.recv(65536)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            self.heads.append((number, head + b"\r\n\r\n"))
            answer = self._answer(head)
            if answer is None:
                return
            connection.sendall(answer)
            count += 1

    def end(self, index: int) -> None:
        """End a connection between two requests."""
        self.connections[index].shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Close with a reset instead of an end."""
    resets(connection)
    connection.close()


def resets(connection: socket.socket) -> None:
    """Closing it will be a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
