"""Rows of the RFC tables: what is sent to a gateway, what the origin sees of it, what comes back.

Texts are bytes in Latin-1 with ⏎ for CRLF (spaces around it are for the eye), \\n and the like as
in Python. AUTH is the origin's address and port, PORT its port, ID the gateway's own name in Via.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import OnDenial, Verdict
from netproxy.transport import HappyEyeballs
from tests.support.fakes import FakePolicy, judgement
from tests.support.proxies import LOOPBACK, Setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.config import Limits
    from netproxy.model import Destination
    from netproxy.transport import Readiness
    from netproxy.transport.sockets import Socket

ECHO = "whatever it is sent"
HI = "HTTP/1.1 200 OK ⏎ Date: x ⏎ Content-Length: 2 ⏎⏎ hi"
# How it comes back to the client.
HI_BACK = "HTTP/1.1 200 OK ⏎ Date: x ⏎ Via: 1.1 ID ⏎ Content-Length: 2 ⏎⏎ hi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`section` is the RFC's number and the section in it."""

    section: str
    holds: str
    sent: str | bytes
    answers: tuple[str, ...] = (HI,)  # the origin's, to one request after the other; or (ECHO,)
    saw: str = ""  # all that the origin was sent
    # All that came back to the client; or only the statuses of it; or what it holds.
    got: str | tuple[int, ...] | re.Pattern[bytes] = HI_BACK


def plain(text: str) -> bytes:
    """As a row writes it, with the names of what differs from run to run."""
    lines = re.sub(r" ?⏎ ?", "\r\n", text)
    return lines.encode("latin-1").decode("unicode_escape").encode("latin-1")


def wire(text: str | bytes, port: int = 0, via: str = "") -> bytes:
    """As it is sent."""
    data = text if isinstance(text, bytes) else plain(text)
    named = data.replace(b"AUTH", b"127.0.0.1:%d" % port).replace(b"PORT", b"%d" % port)
    return named.replace(b"ID", via.encode())


def normal(data: bytes, port: int, via: str) -> bytes:
    """The inverse of `wire`."""
    named = data.replace(b"127.0.0.1:%d" % port, b"AUTH").replace(via.encode(), b"ID")
    return named.replace(b":%d" % port, b":PORT")


@dataclass
class Answering:
    """An origin with an answer for each request; without a length an answer ends with a close."""

    answers: tuple[str, ...]
    received: bytes = b""
    _left: list[str] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._left = list(self.answers)

    def hang_up(self) -> None:
        """End what the gateway keeps for a next request."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __call__(self, connection: socket.socket) -> None:
        self._open.append(connection)
        if self.answers == (ECHO,):
            self._echo(connection)
            return
        unread = b""
        while True:
            while (end := _end_of_request(unread)) is None:
                data = connection.recv(65536)
                if not data:
                    self._keep(unread)
                    return
                unread += data
            self._keep(unread[:end])
            unread = unread[end:]
            if not self._answer(connection):
                return

    def _echo(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            self._keep(data)
            connection.sendall(data)

    def _keep(self, data: bytes) -> None:
        with self._lock:
            self.received += data

    def _answer(self, connection: socket.socket) -> bool:
        """Whether the connection stays open."""
        with self._lock:
            answer = self._left.pop(0)
        if answer.startswith("later "):
            time.sleep(0.05)
        connection.sendall(wire(answer.removeprefix("later ")))
        return "Content-Length" in answer or "chunked" in answer or "1.1 204" in answer


def _end_of_request(data: bytes) -> int | None:
    """Where the first request ends, of a sender who is trusted: what we write."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    length = 0
    if match := re.search(rb"\r\nContent-Length: (\d+)", head):
        length = int(match[1])
    elif b"\r\nTransfer-Encoding: chunked" in head:
        chunks = re.match(rb"(?s).*?(?:\A|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n", body)
        if chunks is None:
            return None
        length = chunks.end()
    return len(head) + 4 + length if len(body) >= length else None


class Names:
    """A resolver with a name for each way that a lookup can end."""

    TABLE = {  # noqa: RUF012  it is read only
        "a.test": ("127.0.0.1",),
        "both.test": ("::1", "127.0.0.1"),
        "private.test": ("10.0.0.1",),
        **{f"{failure.name.lower().replace('_', '-')}.test": ("127.0.0.1",) for failure in Failure},
    }
    FAILING = {"dns-timeout.test": Failure.DNS_TIMEOUT}  # noqa: RUF012  it is read only

    async def resolve(self, host: str) -> Sequence[str]:
        if host in self.FAILING or host not in self.TABLE:
            raise DestinationUnreachable(self.FAILING.get(host, Failure.DNS_ERROR), host)
        return self.TABLE[host]


class FailingDialer:
    """Fails as the name says, or dials."""

    def __init__(self, readiness: Readiness, limits: Limits) -> None:
        self._dialer = HappyEyeballs(readiness, limits)

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> Socket:
        for failure in Failure:
            if destination.host == f"{failure.name.lower().replace('_', '-')}.test":
                raise DestinationUnreachable(failure, destination.host)
        return await self._dialer.dial(destination, addresses)


def open_gateway() -> Setting:
    """Everything is allowed but denied.test, which ends nothing."""
    policy = FakePolicy(Verdict.ALLOW, dialable=LOOPBACK, on_denial=OnDenial.BLOCK)
    policy.by_host["denied.test"] = judgement(Verdict.DENY, on_denial=OnDenial.BLOCK)
    return Setting(policy=policy, resolver=Names(), dialer=FailingDialer)


_CUT = {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}  # the last: before we could shut it down


def converse(client: socket.socket, *parts: bytes) -> bytes:
    """Send these, end, and take what comes back; a reset shows as `cut`.

    A reset may come before all is sent: what was answered until then is still there to read.
    """
    received, cut = b"", False
    try:
        for part in parts:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
    except OSError as gone:
        cut = _is_cut(gone)
    try:
        while data := client.recv(65536):
            received += data
    except OSError as gone:
        cut = _is_cut(gone)
    return received + b"cut" * cut


def _is_cut(error: OSError) -> bool:
    if error.errno not in _CUT:
        raise error
    return True
