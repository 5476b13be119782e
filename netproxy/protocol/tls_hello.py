"""What a TLS client says before anything is encrypted: the name it wants, ALPN, and ECH.

Reads the ClientHello only (RFC 8446 section 4.1.2), in whatever records and pieces it comes, and
keeps every byte as it came. It is read as loosely as some server reads it, and what begins as one
and makes no sense has not shown its name: else it would hide one. What it is worth: a client may
leave the name out, hide it (ECH), or start TLS later inside another protocol, and none of that
shows here.
"""

from __future__ import annotations

from typing import Final

from netproxy.protocol.buffer import NEED_DATA, NeedData
from otel.values import dataclass

_ALERT: Final = 21  # ContentType (RFC 8446 section 5.1)
_HANDSHAKE: Final = 22
_RECORD_TYPES: Final = range(20, 24)  # change_cipher_spec first, application_data last
_CLIENT_HELLO: Final = 1  # HandshakeType (section 4)
# It is 3 since SSL 3.0, which OpenSSL insists on. Go takes anything below this one.
_MAJOR_VERSIONS: Final = range(0x10)
_RECORD_HEADER: Final = 5  # type, version, length
_ALERT_BYTES: Final = 2
_HANDSHAKE_HEADER: Final = 4  # type, length
_RANDOM: Final = 32
_SERVER_NAME: Final = 0  # RFC 6066 section 3
_HOST_NAME: Final = 0
_ALPN: Final = 16  # RFC 7301 section 3.1
_ECH: Final = 0xFE0D  # RFC 9849: the name that shows is a stand-in


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What of a ClientHello could be read."""

    server_names: tuple[bytes, ...]  # as sent; a well-formed hello has one at most
    alpn: tuple[bytes, ...]
    has_ech: bool
    is_whole: bool  # False: it was too long, slow or broken, so there may be more in it
    is_ended: bool = False  # and nothing more comes of it


class NotTls:
    """The bytes so far begin no ClientHello, whatever comes next."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_TLS"


NOT_TLS: Final = NotTls()

type Outcome = Hello | NotTls | NeedData


def may_begin(first: int) -> bool:
    """Tell whether TLS may begin with this byte."""
    return first in _RECORD_TYPES


class HelloReader:
    """Reads the first bytes of one client."""

    __slots__ = ("_limit", "_message", "_next", "held")

    def __init__(self, *, limit: int) -> None:
        """`limit` bounds what is kept, in bytes on the wire."""
        self.held = bytearray()  # all that came, as it came
        self._limit = limit
        self._next = 0  # where in it the next record begins
        self._message = bytearray()  # the handshake message without its records

    def receive(self, data: bytes | bytearray | memoryview) -> Outcome:
        """Take some more, and say what it all is. Past the limit: what could be read of it."""
        self.held += data
        while self._next < self._end:
            record = self._record()
            if isinstance(record, NeedData):
                break
            if isinstance(record, NotTls):
                return self.give_up() if self._message else record
            self._message += record
            if (outcome := self._judged()) is not NEED_DATA:
                return outcome
        return NEED_DATA if len(self.held) < self._limit else self.give_up()

    def give_up(self, *, is_ended: bool = False) -> Hello:
        """Say what could be read: nothing more is waited for, or (`is_ended`) comes."""
        begun = self.held[self._next : self._end]
        is_more_of_it = begun[:1] == bytes((_HANDSHAKE,))
        message = self._message + (begun[_RECORD_HEADER:] if is_more_of_it else b"")
        found = _Fields()
        found.read(bytes(message[_HANDSHAKE_HEADER:]))
        return found.hello(is_whole=False, is_ended=is_ended)

    @property
    def _end(self) -> int:
        """Where what is read ends; beyond it bytes are only kept."""
        return min(len(self.held), self._limit)

    def _record(self) -> bytes | NotTls | NeedData:
        """Take the next record out, once all of it is there."""
        rest = self._end - self._next
        header = bytes(self.held[self._next : self._next + min(rest, _RECORD_HEADER)])
        if header[0] not in _RECORD_TYPES or (len(header) > 1 and header[1] not in _MAJOR_VERSIONS):
            return NOT_TLS
        if rest < _RECORD_HEADER:
            return NEED_DATA
        begin = self._next + _RECORD_HEADER
        end = begin + int.from_bytes(header[3:])
        if header[0] != _HANDSHAKE and not _is_passed_over(header[0], end - begin):
            return NOT_TLS
        # The first byte of a message says that it is none of ours before the rest is there.
        is_first = header[0] == _HANDSHAKE and begin < min(end, self._end) and not self._message
        if is_first and self.held[begin] != _CLIENT_HELLO:
            return NOT_TLS
        if self._end < end:
            return NEED_DATA
        self._next = end
        return bytes(self.held[begin:end]) if header[0] == _HANDSHAKE else b""

    def _judged(self) -> Outcome:
        if len(self._message) < _HANDSHAKE_HEADER:
            return NEED_DATA
        end = _HANDSHAKE_HEADER + int.from_bytes(self._message[1:_HANDSHAKE_HEADER])
        if len(self._message) < end:
            return NEED_DATA
        return _read(bytes(self._message[_HANDSHAKE_HEADER:end]))


def _is_passed_over(kind: int, length: int) -> bool:
    """Tell which records servers skip before a hello and in it: empty ones, and warnings (Go)."""
    return length == 0 or (kind == _ALERT and length == _ALERT_BYTES)


def _read(body: bytes) -> Hello:
    """Read a whole message. Where it is broken, some server may read more in it than we do."""
    found = _Fields()
    is_sound = found.read(body)
    return found.hello(is_whole=is_sound)


class _Fields:
    """Collects what a message says, up to where it breaks off."""

    __slots__ = ("alpn", "has_ech", "server_names")

    def __init__(self) -> None:
        self.server_names: list[bytes] = []
        self.alpn: list[bytes] = []
        self.has_ech = False

    def hello(self, *, is_whole: bool, is_ended: bool = False) -> Hello:
        return Hello(
            server_names=tuple(self.server_names),
            alpn=tuple(self.alpn),
            has_ech=self.has_ech,
            is_whole=is_whole,
            is_ended=is_ended,
        )

    def read(self, body: bytes) -> bool:
        """Return whether it is sound to its end."""
        part = _Part(body)
        part.take(2 + _RANDOM)  # legacy_version first: servers take nearly any
        for size in (1, 2, 1):  # session id, cipher suites, compression methods
            part.vector(size)
        if part.ended_well():
            return True  # extensions came with TLS 1.2, and may be left out altogether
        extensions = _Part(part.vector(2))
        sound = part.ended_well()
        while extensions.rest:
            kind = int.from_bytes(extensions.take(2))
            sound &= self._extension(kind, extensions.vector(2))
        return sound and extensions.ended_well()

    def _extension(self, kind: int, body: bytes) -> bool:
        if kind not in {_SERVER_NAME, _ALPN}:
            self.has_ech |= kind == _ECH
            return True
        part = _Part(body)
        listed = _Part(part.vector(2))
        while listed.rest:
            is_host = kind == _ALPN or listed.take(1) == bytes((_HOST_NAME,))
            word = listed.vector(1 if kind == _ALPN else 2)
            # What is cut off is not what the client says.
            if is_host and not listed.is_broken:
                (self.alpn if kind == _ALPN else self.server_names).append(word)
        return part.ended_well() and listed.ended_well()


class _Part:
    """Bytes that are taken from the front. What is not there is not made up, and breaks it."""

    __slots__ = ("_at", "_data", "is_broken")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.is_broken = False

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def ended_well(self) -> bool:
        """Whether all was there, and nothing else is."""
        return not self.is_broken and not self.rest

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        self.is_broken |= len(taken) < count
        return taken

    def vector(self, size: int) -> bytes:
        """Take a vector with a length of `size` bytes before it (RFC 8446 section 3.4)."""
        return self.take(int.from_bytes(self.take(size)))
