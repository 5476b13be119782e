"""The head of an HTTP/1 message: a first line, then fields, bounded and strict (RFC 9112).

Request and response readers share it. The first line is judged as soon as it is whole, so an
HTTP/0.9 one-liner is answered instead of waited for. llhttp reads the fields; what it would let
pass or never see (a bare LF, a head without an end) is refused here. Where the bytes are split
never matters: every check is made at a position in the stream, not at the end of a read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httptools

from netproxy.errors import ClientProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.config import Limits

type Fields = tuple[tuple[bytes, bytes], ...]

# METHOD, two spaces, and "HTTP/1.1": what a first line holds besides its target or reason phrase.
_LINE_OVERHEAD_BYTES = 48
# RFC 9112 section 2.2: a server ignores at least one empty line before the request line.
_LEADING_LINES = 2
_BARE_LF = re.compile(rb"(?<!\r)\n")
# llhttp wants a first line too. It knows a fixed list of methods and still reads HTTP/0.9, so the
# real line is ours to read and it is given one that it can only agree with.
_PRELUDE = b"POST / HTTP/1.1\r\n"
_OWS = b" \t"


class HeadReader[Line]:
    """Collects one head. `read_line` turns its first line into a value or refuses it.

    `line` is that value, once it is there.
    """

    __slots__ = ("_buffer", "_limits", "_line_end", "_read_line", "_scanned", "_skipped", "line")

    def __init__(self, limits: Limits, read_line: Callable[[bytes], Line]) -> None:
        self._limits = limits
        self._read_line = read_line
        self._buffer: bytes | bytearray = b""
        self.line: Line | None = None
        self._line_end = 0
        self._scanned = 0
        self._skipped = 0

    @property
    def is_empty(self) -> bool:
        """Nothing but ignorable empty lines has come."""
        return self.line is None and not self._buffer

    def receive(self, data: bytes) -> tuple[Line, Fields, bytes] | None:
        """First line, fields and the bytes after the head; None while it is not whole."""
        self._append(data)
        if self.line is None:
            self._take_line()
        if self.line is None:
            return None
        end = self._end_of_head()
        if end is None:
            return None
        section = bytes(self._buffer[self._line_end : end + 4])
        return self.line, self._fields(section), bytes(self._buffer[end + 4 :])

    def _append(self, data: bytes) -> None:
        """Nearly every head comes in one piece: only those that don't are copied together."""
        if not self._buffer:
            self._buffer = data
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        self._buffer += data

    def _take_line(self) -> None:
        while self._buffer.startswith(b"\r\n") and self._skipped < _LEADING_LINES:
            self._buffer = self._buffer[2:]
            self._skipped += 1
        buffer = self._buffer
        # First, so that the refusal is the same however little of it came at once.
        refuse_foreign(buffer)
        limit = self._limits.target_bytes + _LINE_OVERHEAD_BYTES
        newline = buffer.find(b"\n", self._scanned, limit + 2)
        if newline >= 0:
            if buffer[newline - 1 : newline] != b"\r":
                raise ClientProtocolError("a line ends with a bare LF (RFC 9112 section 2.2)")
            self.line = self._read_line(bytes(buffer[: newline - 1]))
            self._line_end = newline + 1
            self._scanned = self._line_end
        elif len(buffer) >= limit + 2:
            raise ClientProtocolError(f"the first line is over {limit} bytes", status=414)
        else:
            self._scanned = len(buffer)

    def _end_of_head(self) -> int | None:
        """Where the blank line begins, if it is there and the head is within its limit."""
        buffer, limit = self._buffer, self._limits.head_bytes
        end = buffer.find(b"\r\n\r\n", max(self._scanned - 4, self._line_end - 2))
        stop = min(limit, len(buffer) if end < 0 else end)
        if _BARE_LF.search(buffer, max(self._scanned - 1, self._line_end), stop):
            raise ClientProtocolError("a line ends with a bare LF (RFC 9112 section 2.2)")
        if (len(buffer) if end < 0 else end + 4) > limit:
            raise ClientProtocolError(f"the head is over {limit} bytes", status=431)
        self._scanned = len(buffer)
        return None if end < 0 else end

    def _fields(self, section: bytes) -> Fields:
        if section == b"\r\n":
            return ()
        collector = _Collector()
        try:
            httptools.HttpRequestParser(collector).feed_data(_PRELUDE + section)
        except httptools.HttpParserUpgrade:
            pass  # an Upgrade field; it is stripped later and never obeyed here
        except httptools.HttpParserError as refused:
            raise ClientProtocolError(f"a field is malformed: {refused}") from refused
        if not collector.is_complete:  # pragma: no cover  # no input is known that llhttp leaves so
            raise ClientProtocolError("the fields are malformed")
        if len(collector.fields) > self._limits.header_count:
            limit = self._limits.header_count
            raise ClientProtocolError(f"more than {limit} fields", status=431)
        return tuple(collector.fields)


class _Collector:
    """llhttp's callbacks: keeps what it reads."""

    __slots__ = ("fields", "is_complete")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(_OWS)))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def refuse_foreign(start: bytes | bytearray) -> None:
    """Name what is plainly another protocol at once: its client would wait for the time limit."""
    if not start or start[0] == ord("\r") or 0x20 < start[0] < 0x7F:  # noqa: PLR2004 visible ASCII
        return
    match start[0]:
        case 0x16:
            raise ClientProtocolError("this is TLS; the proxy itself is spoken to in plain HTTP")
        case 0x04 | 0x05:
            raise ClientProtocolError("this is SOCKS; the SOCKS listener has another port")
        case _:
            raise ClientProtocolError("this is not HTTP/1.1")
