"""UDP on loopback: a client of a SOCKS5 association, and peers that answer it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from tests.support.origins import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What is waited for when nothing shall come.
SILENCE_SECONDS = 0.15


class Peer:
    """Answers each datagram with what `serve` makes of it; None is silence."""

    def __init__(
        self,
        serve: Callable[[bytes], bytes | None],
        *,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> None:
        self._serve = serve
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.received: list[bytes] = []
        self.sources: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            data, source = self.socket.recvfrom(65536)
            if data == b"stop":
                return
            self.received.append(data)
            self.sources.append(source[:2])
            answer = self._serve(data)
            if answer is not None:
                with suppress(OSError):
                    self.socket.sendto(answer, source)

    def close(self) -> None:
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"stop", self.socket.getsockname())
        self._thread.join(PATIENCE_SECONDS)
        self.socket.close()


@contextmanager
def peer(
    serve: Callable[[bytes], bytes | None] = lambda data: data,
    *,
    family: socket.AddressFamily = socket.AF_INET,
) -> Iterator[Peer]:
    running = Peer(serve, family=family)
    try:
        yield running
    finally:
        running.close()


def header(host: str, port: int, *, fragment: int = 0) -> bytes:
    """RFC 1928 section 7. A host that is no address is a name."""
    try:
        packed = ip_address(host).packed
    except ValueError:
        address = bytes((3, len(host))) + host.encode()
    else:
        address = bytes((1 if len(packed) == 4 else 4,)) + packed
    return bytes((0, 0, fragment)) + address + port.to_bytes(2)


class Refused(Exception):
    """The association was refused with this reply."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Associated:
    """A program with an association. The first thing to close is `control`."""

    def __init__(
        self, control: socket.socket, *, announces: bool = False, secret: bytes | None = None
    ) -> None:
        self.control = control
        self.socket = socket.socket(control.family, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.bind((control.getsockname()[0], 0))
        port = self.socket.getsockname()[1] if announces else 0
        if secret is None:
            hello, greeted = b"\x05\x01\x00", b"\x05\x00"
        else:
            shown = b"\x01\x01x" + bytes([len(secret)]) + secret
            hello, greeted = b"\x05\x01\x02" + shown, b"\x05\x02\x01\x00"
        control.sendall(hello + b"\x05\x03\x00\x01\x00\x00\x00\x00" + port.to_bytes(2))
        assert _exactly(control, len(greeted)) == greeted
        _, code, _, kind = _exactly(control, 4)
        bound = _exactly(control, 4 if kind == 1 else 16)
        self.port = (str(ip_address(bound)), int.from_bytes(_exactly(control, 2)))
        if code != 0:
            self.socket.close()
            raise Refused(code)

    def send(self, host: str, port: int, data: bytes) -> None:
        self.send_raw(header(host, port) + data)

    def send_raw(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.port)

    def receive(self) -> tuple[str, int, bytes]:
        """Who answers, and what."""
        datagram, source = self.socket.recvfrom(65536)
        assert source[:2] == self.port
        assert datagram[:3] == b"\x00\x00\x00"
        end = {1: 8, 4: 20}[datagram[3]]
        port = int.from_bytes(datagram[end : end + 2])
        return str(ip_address(datagram[4:end])), port, datagram[end + 2 :]

    def hears_nothing(self) -> bool:
        self.socket.settimeout(SILENCE_SECONDS)
        try:
            self.socket.recvfrom(65536)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)
        return False

    def close(self) -> None:
        self.control.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _exactly(client: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        data = client.recv(count - len(received))
        if not data:
            raise ConnectionError(f"the end after {received!r}")
        received += data
    return received
