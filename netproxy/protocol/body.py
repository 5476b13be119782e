"""Message bodies: framing taken off, and put on anew (RFC 9112 sections 6 and 7).

Nothing of the sender's framing is passed on, so a chunk that two readers could read differently
ends here. Chunk extensions are dropped; trailers are kept for `trailers` to choose from. Bodies
are streamed, never collected.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, assert_never

from netproxy.errors import ClientProtocolError
from netproxy.protocol.fields import Chunked, Framing, Length, UntilClose

if TYPE_CHECKING:
    from netproxy.config import Limits
    from netproxy.protocol.head import Fields

# 15 hexadecimal digits can't overflow 64 bits. Extensions are dropped, but what is in them is how
# chunk parsers were made to disagree: tokens and quoted strings (RFC 9112 section 7.1.1) without
# the "bad" whitespace that h11 and llhttp refuse too.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"'
_SIZE = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:;%b(?:=(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED),
)
_TRAILER = re.compile(rb"(%b):([\t\x20-\x7e\x80-\xff]*)" % _TOKEN)
# Framing and routing are the head's: a reader who takes them from here reads another message
# (RFC 9110 section 6.5.1).
_NEVER_TRAILING = frozenset({b"content-length", b"host", b"transfer-encoding"})
# A size needs 15 bytes; nobody sends extensions, and a long one is an attack on parsers.
_SIZE_LINE_BYTES = 1024


class BodyReader:
    """One body: bytes in, content out. `is_finished` once whole; `unread` is what came after."""

    __slots__ = ("is_finished", "trailers", "unread")

    def __init__(self) -> None:
        self.is_finished = False
        self.unread = b""
        self.trailers: Fields = ()  # what followed the last chunk

    def receive(self, data: bytes) -> bytes:
        """Return the content in these bytes. Raises `ClientProtocolError`."""
        raise NotImplementedError


class LengthReader(BodyReader):
    """Counts down."""

    __slots__ = ("_left",)

    def __init__(self, octets: int) -> None:
        super().__init__()
        self._left = octets
        self.is_finished = octets == 0

    def receive(self, data: bytes) -> bytes:
        """Content up to the length; the rest is unread."""
        content, self.unread = data[: self._left], data[self._left :]
        self._left -= len(content)
        self.is_finished = self._left == 0
        return content


class CloseReader(BodyReader):
    """Everything is content until the sender closes; never finished by itself."""

    __slots__ = ()

    def receive(self, data: bytes) -> bytes:
        """All of it."""
        return data


class _Step(Enum):
    SIZE = auto()
    CONTENT = auto()
    CONTENT_END = auto()
    TRAILER = auto()


class ChunkedReader(BodyReader):
    """Decodes chunks, strictly: CRLF only, sizes in plain hexadecimal."""

    __slots__ = ("_at", "_buffer", "_left", "_step", "_trailer_bytes", "_trailer_count")

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._buffer = b""
        self._at = 0  # what is before it was taken: a rest copied for each chunk would cost squares
        self._left = 0
        self._step = _Step.SIZE
        self._trailer_bytes = limits.head_bytes
        self._trailer_count = limits.header_count

    def receive(self, data: bytes) -> bytes:
        """Content of the chunks in these bytes, without their framing."""
        self._buffer = self._buffer + data if self._buffer else data
        pieces: list[bytes] = []
        while not self.is_finished and self._advance(pieces):
            pass
        self._buffer, self._at = self._buffer[self._at :], 0
        if self.is_finished:
            self.unread, self._buffer = self._buffer, b""
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _advance(self, pieces: list[bytes]) -> bool:
        """Make one step; False when more bytes are needed for it."""
        match self._step:
            case _Step.SIZE:
                return self._size(pieces)
            case _Step.CONTENT:
                return self._content(pieces)
            case _Step.CONTENT_END:
                return self._content_end()
            case _Step.TRAILER:
                return self._trailer()
            case _ as impossible:
                assert_never(impossible)

    def _size(self, pieces: list[bytes]) -> bool:
        line = self._take_line(_SIZE_LINE_BYTES, "a chunk-size line is too long")
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise ClientProtocolError("a chunk-size line is not hexadecimal digits and extensions")
        self._left = left = int(match[1], 16)
        start, end = self._at, self._at + left
        if left and self._buffer[end : end + 2] == b"\r\n":
            # All of it is here, as of most chunks: one step instead of three.
            pieces.append(self._buffer[start:end])
            self._at = end + 2
            return True
        self._step = _Step.CONTENT if self._left else _Step.TRAILER
        return True

    def _content(self, pieces: list[bytes]) -> bool:
        piece = self._buffer[self._at : self._at + self._left]
        if not piece:
            return False
        pieces.append(piece)
        self._at += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = _Step.CONTENT_END
        return True

    def _content_end(self) -> bool:
        end = self._buffer[self._at : self._at + 2]
        if not b"\r\n".startswith(end):
            raise ClientProtocolError("a chunk does not end with CRLF")
        if len(end) < len(b"\r\n"):
            return False
        self._at += 2
        self._step = _Step.SIZE
        return True

    def _trailer(self) -> bool:
        line = self._take_line(self._trailer_bytes, "the trailers are too long")
        if line is None:
            return False
        self._trailer_bytes -= len(line)
        self.is_finished = not line
        if line:
            self.trailers = (*self.trailers, _read_trailer(line))
        if len(self.trailers) > self._trailer_count:
            raise ClientProtocolError("too many trailers")
        return True

    def _take_line(self, limit: int, complaint: str) -> bytes | None:
        """Return the next line without its CRLF, or None while it is not whole."""
        start, buffer = self._at, self._buffer
        newline = buffer.find(b"\n", start, start + limit + 2)
        if newline < 0:
            if len(buffer) - start >= limit + 2:
                raise ClientProtocolError(complaint)
            return None
        if newline == start or buffer[newline - 1 : newline] != b"\r":
            raise ClientProtocolError("a line of the chunked body ends with a bare LF")
        self._at = newline + 1
        return buffer[start : newline - 1]


def _read_trailer(line: bytes) -> tuple[bytes, bytes]:
    match = _TRAILER.fullmatch(line)
    if match is None:
        raise ClientProtocolError("a trailer is malformed")
    if (name := match[1].lower()) in _NEVER_TRAILING:
        raise ClientProtocolError(f"{name.decode()} in the trailers")
    return match[1], match[2].strip(b" \t")


def body_reader(framing: Framing, limits: Limits) -> BodyReader:
    """Make the reader for a body that is framed so."""
    match framing:
        case Length(octets):
            return LengthReader(octets)
        case Chunked():
            return ChunkedReader(limits)
        case UntilClose():
            return CloseReader()
        case _ as impossible:
            assert_never(impossible)


def framed(content: bytes, framing: Framing) -> bytes:
    """Put our own framing on a piece of content; `trailers.last_chunk` ends a chunked body."""
    if isinstance(framing, Chunked):
        return b"%x\r\n%b\r\n" % (len(content), content)
    return content
