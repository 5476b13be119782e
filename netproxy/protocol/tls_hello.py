"""What a TLS client says before anything is encrypted: the name it wants, ALPN, and ECH.

Reads ClientHellos only (RFC 8446 section 4.1.2), in whatever records and pieces they come, and
keeps every byte as it came. They are read as loosely as some server reads them, and what begins as
one and makes no sense has not shown its name: else it would hide one. What it is worth: a client
may leave the name out, hide it (ECH), or start TLS later inside another protocol, and none of that
shows here.
"""

from __future__ import annotations

from typing import Final

from netproxy.protocol.buffer import NEED_DATA, NeedData
from otel.values import dataclass

_CHANGE_CIPHER_SPEC: Final = 20  # ContentType (RFC 8446 section 5.1)
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_APPLICATION_DATA: Final = 23
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
_EARLY_DATA: Final = 42  # RFC 8446 section 4.2
_SUPPORTED_VERSIONS: Final = 43
_ECH: Final = 0xFE0D  # RFC 9849: the name that shows is a stand-in
# Behind this in the length of a message is none that a server takes: OpenSSL 131,396 bytes.
_MOST_OF_LENGTH: Final = 2
# A server that asks for a second hello skips 16 KiB of early data (OpenSSL, BoringSSL).
_EARLY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What of a ClientHello could be read."""

    server_names: tuple[bytes, ...]  # as sent; a well-formed hello has one at most
    alpn: tuple[bytes, ...]
    has_ech: bool
    is_whole: bool  # False: it was too long, slow or broken, so there may be more in it
    is_ended: bool = False  # and nothing more comes of it
    may_be_retried: bool = False  # a server of TLS 1.3 may ask for another one
    has_early_data: bool = False  # which then comes before that

    @property
    def shown(self) -> tuple[object, ...]:
        """What it says of the name: a second one that says the same needs no second look."""
        return self.server_names, self.alpn, self.has_ech, self.is_whole


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
    """Reads the first bytes of one client, or a second hello, which a server may ask for."""

    __slots__ = ("_begun", "_between", "_fields", "_limit", "_message", "end", "held")

    def __init__(self, *, limit: int, begins_at: int = 0, between: Between | None = None) -> None:
        """`limit` bounds what is looked at, in bytes on the wire, before which some may be known.

        For a second hello: what may come between the first one and it.
        """
        self.held = bytearray()  # all that came, as it came
        self.end = begins_at  # of the records in it that were read
        self._limit = begins_at + limit
        self._between = between
        self._message = bytearray()  # the handshake message without its records
        self._fields = _Fields()
        self._begun = False  # with a hello, whole or not

    def receive(self, data: bytes | bytearray | memoryview) -> Outcome:
        """Take some more, and say what it all is. Past the limit: what could be read of it."""
        self.held += data
        while self.end < self._looked_to:
            record = self._record()
            if isinstance(record, NeedData):
                break
            if isinstance(record, NotTls):
                return self._broken_off()
            self._message += record
            if (outcome := self._judged()) is not NEED_DATA:
                return outcome
        return NEED_DATA if len(self.held) < self._limit else self.give_up()

    def give_up(self, *, is_ended: bool = False) -> Hello:
        """Say what could be read: nothing more is waited for, or (`is_ended`) comes."""
        begun = self.held[self.end : self._looked_to]
        is_more_of_it = begun[:1] == bytes((_HANDSHAKE,))
        message = self._message + (begun[_RECORD_HEADER:] if is_more_of_it else b"")
        self._fields.read(bytes(message[_HANDSHAKE_HEADER:]))
        return self._fields.hello(is_whole=False, is_ended=is_ended)

    @property
    def _looked_to(self) -> int:
        """Where what is read ends; beyond it bytes are only kept."""
        return min(len(self.held), self._limit)

    def _record(self) -> bytes | NotTls | NeedData:
        """Take the next record out, once all of it is there."""
        rest = self._looked_to - self.end
        header = bytes(self.held[self.end : self.end + min(rest, _RECORD_HEADER)])
        if header[0] not in _RECORD_TYPES or (len(header) > 1 and header[1] not in _MAJOR_VERSIONS):
            return NOT_TLS
        if rest < _RECORD_HEADER:
            return NEED_DATA
        begin = self.end + _RECORD_HEADER
        end = begin + int.from_bytes(header[3:])
        if header[0] != _HANDSHAKE and not self._is_passed_over(header[0], end - begin):
            return NOT_TLS
        # The first byte of a message says that it is none of ours before the rest is there.
        is_first = header[0] == _HANDSHAKE and begin < min(end, self._looked_to)
        if is_first and not self._message and self.held[begin] != _CLIENT_HELLO:
            return NOT_TLS
        if self._looked_to < end:
            return NEED_DATA
        self.end = end
        return bytes(self.held[begin:end]) if header[0] == _HANDSHAKE else b""

    def _is_passed_over(self, kind: int, length: int) -> bool:
        """Tell which records servers skip before a hello and in it: empty ones, warnings (Go)."""
        if length == 0 or (kind == _ALERT and length == _ALERT_BYTES):
            return True
        return self._between is not None and kind in self._between.kinds

    def _judged(self) -> Outcome:
        """Read the messages that are whole. More hellos in the same record count, too."""
        while len(self._message) >= _HANDSHAKE_HEADER:
            end = _HANDSHAKE_HEADER + int.from_bytes(self._message[1:_HANDSHAKE_HEADER])
            # After a handshake of TLS 1.2 a record is encrypted, and may begin like a hello.
            if self._is_another and self._message[1] > _MOST_OF_LENGTH:
                return NOT_TLS
            if len(self._message) < end:
                break
            self._fields.read(bytes(self._message[_HANDSHAKE_HEADER:end]))
            self._begun = True
            del self._message[:end]
            if self._message[:1] != bytes((_CLIENT_HELLO,)):
                return self._fields.hello(is_whole=True)
        return NEED_DATA

    def _broken_off(self) -> Outcome:
        """What begins as a hello has not shown its name; only a second one need not be any."""
        if self._is_another or not (self._begun or self._message):
            return NOT_TLS
        return self.give_up()

    @property
    def _is_another(self) -> bool:
        return self._between is not None and not self._begun


class Between:
    """What a client may send between two hellos (RFC 8446 section 4.1.2).

    A server may ask for a second one, and takes the name from that: what is no hello goes on as it
    comes, and where the next could only be encrypted nothing is looked for any more.
    """

    __slots__ = ("_early", "_header", "_left", "kinds")

    def __init__(self, first: Hello) -> None:
        self.kinds = {_CHANGE_CIPHER_SPEC, _ALERT}  # that may come
        if first.has_early_data:
            self.kinds.add(_APPLICATION_DATA)
        self._header = bytearray()  # of the record that is going on
        self._left = 0  # bytes of it that are still to come
        self._early = 0  # bytes of data so far

    def walk(self, data: bytes | bytearray | memoryview) -> int | None:
        """Return how many of these come before a handshake record: all of them, if there is none.

        None: no second hello comes any more.
        """
        at = 0
        while at < len(data):
            if not (self._left or self._header):
                if data[at] == _HANDSHAKE:
                    return at
                if data[at] not in self.kinds or self._early > _EARLY_BYTES:
                    return None
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = min(_RECORD_HEADER - len(self._header), len(data) - at)
                self._header += data[at : at + step]
                self._begin()
            at += step
        return at

    def _begin(self) -> None:
        """Begin a record, as soon as its header is there."""
        if len(self._header) == _RECORD_HEADER:
            self._left = int.from_bytes(self._header[3:])
            if self._header[0] == _APPLICATION_DATA:
                self._early += self._left
            self._header.clear()


class _Fields:
    """Collects what messages say, up to where one breaks off."""

    __slots__ = ("_alpn", "_is_sound", "_kinds", "_server_names")

    def __init__(self) -> None:
        self._server_names: list[bytes] = []
        self._alpn: list[bytes] = []
        self._kinds: set[int] = set()
        self._is_sound = True

    def hello(self, *, is_whole: bool, is_ended: bool = False) -> Hello:
        """Where it is broken, some server may read more in it than we do."""
        is_whole &= self._is_sound
        return Hello(
            server_names=tuple(self._server_names),
            alpn=tuple(self._alpn),
            has_ech=_ECH in self._kinds,
            is_whole=is_whole,
            is_ended=is_ended,
            may_be_retried=is_whole and _SUPPORTED_VERSIONS in self._kinds,
            has_early_data=_EARLY_DATA in self._kinds,
        )

    def read(self, body: bytes) -> None:
        part = _Part(body)
        part.take(2 + _RANDOM)  # legacy_version first: servers take nearly any
        for size in (1, 2, 1):  # session id, cipher suites, compression methods
            part.vector(size)
        if part.ended_well():
            return  # extensions came with TLS 1.2, and may be left out altogether
        extensions = _Part(part.vector(2))
        self._is_sound &= part.ended_well()
        while extensions.rest:
            kind = int.from_bytes(extensions.take(2))
            self._is_sound &= self._extension(kind, extensions.vector(2))
        self._is_sound &= extensions.ended_well()

    def _extension(self, kind: int, body: bytes) -> bool:
        self._kinds.add(kind)
        if kind not in {_SERVER_NAME, _ALPN}:
            return True
        part = _Part(body)
        listed = _Part(part.vector(2))
        while listed.rest:
            is_host = kind == _ALPN or listed.take(1) == bytes((_HOST_NAME,))
            word = listed.vector(1 if kind == _ALPN else 2)
            # What is cut off is not what the client says.
            if is_host and not listed.is_broken:
                (self._alpn if kind == _ALPN else self._server_names).append(word)
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
