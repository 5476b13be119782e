"""A port that answers one target, by `GET`, and nothing else: `--health`, `--metrics`.

Proxy listeners answer nothing but proxy requests, so what the operator asks has ports of its own. A
page that got its own name to lead here (DNS rebinding) sends that name as Host, and is told nothing
(RFC 9110 section 15.5.20); other pages can't read answers.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from netproxy.policy.blocks import parse_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

# A probe sends some hundred bytes at once. Whoever has less to lose than a descriptor waits longer.
_HEAD_BYTES = 4096
_SECONDS = 2.0
_AT_ONCE = 64

_LINE = re.compile(rb"([A-Z]{1,16}) (\S{1,256}) HTTP/1\.([01])")
_HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]*))(?::[0-9]{1,5})?")
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    503: "Service Unavailable",
}


def status_of(head: bytes, target: bytes) -> int:
    """What a request head deserves where only `target` is answered: 200, or an error. Pure."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    match = _LINE.fullmatch(lines[0])
    if match is None:
        return 400
    method, asked, minor = match.groups()
    hosts = [line[5:].strip(b" \t") for line in lines[1:] if line[:5].lower() == b"host:"]
    if len(hosts) > 1 or (minor == b"1" and not hosts):
        return 400
    if hosts and not _is_here(hosts[0]):
        return 421
    if asked != target:
        return 404
    return 200 if method in {b"GET", b"HEAD"} else 405


def response(head: bytes, status: int, body: bytes, *, kind: str = "text/plain") -> bytes:
    """Word the answer to a request head. Pure."""
    lines = [
        f"HTTP/1.1 {status} {_PHRASES[status]}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Cross-Origin-Resource-Policy: same-origin",
        *(["Allow: GET, HEAD"] if status == 405 else []),  # noqa: PLR2004  RFC 9110 15.5.6
        "Connection: close",
    ]
    said = "\r\n".join([*lines, "\r\n"]).encode("ascii")
    return said if head.startswith(b"HEAD ") else said + body


def refusal(head: bytes, status: int) -> bytes:
    """Word an error. Pure."""
    return response(head, status, f"{_PHRASES[status].lower()}\n".encode())


def _is_here(host: bytes) -> bool:
    """Whether it is a name that nobody else can have made lead here."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    literal = (match[1] or match[2] or b"").decode("ascii", "replace")
    return literal == "localhost" or parse_address(literal) is not None


class OnePage:
    """Answers on `listener`, which it owns, as long as it is entered."""

    def __init__(
        self, listener: socket.socket, answered: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        """`answered` makes a whole answer of a whole head."""
        self._listener = listener
        self._answered = answered
        self._open = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, sock=self._listener, limit=_HEAD_BYTES
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _AT_ONCE:
                async with asyncio.timeout(_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answered(head))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks no question gets no answer
        finally:
            self._open -= 1
            with suppress(OSError):
                writer.close()
