"""SOCKS5 from the server's side: greeting, secret if asked for, one request (RFC 1928, RFC 1929).

No socket, no policy. CONNECT and UDP ASSOCIATE are read; BIND would be a way in, so it is answered
as a command that is not supported. The host stays bytes: its canonical form is
`netproxy.policy.hosts`, which refuses what a resolver would read otherwise. Datagrams of an
association: `netproxy.protocol.socks5_udp`.
"""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from netproxy.errors import ClientProtocolError, SocksProtocolError, SocksReply
from netproxy.protocol.buffer import NEED_DATA, NeedData
from otel.values import dataclass

VERSION: Final = 5
SOCKS4_VERSION: Final = 4

_NO_AUTHENTICATION, _USERNAME_PASSWORD = 0, 2  # methods, RFC 1928 section 3
_ATYP_IPV4, _ATYP_NAME, _ATYP_IPV6 = 1, 3, 4
_ADDRESS_TYPES = frozenset({_ATYP_IPV4, _ATYP_NAME, _ATYP_IPV6})
_ADDRESS_BYTES = {_ATYP_IPV4: 4, _ATYP_IPV6: 16}
_GREETING_BYTES = 2  # VER and NMETHODS, before the methods
_SECRET_BYTES = 2  # VER and ULEN, before the name (RFC 1929 section 2)
_SECRET_VERSION = 1
_RSV, _ATYP = 2, 3  # where they are in a request (RFC 1928 section 4)
_REQUEST_HEAD_BYTES = 4
# What a reply names when there is no bound address to name; nothing is bound to it.
_NO_ADDRESS = "0.0.0.0"  # noqa: S104  # text in a reply, never bind()
_PORT_BYTES = 2

METHOD_CHOSEN: Final = b"\x05\x00"
SECRET_WANTED: Final = b"\x05\x02"
NO_ACCEPTABLE_METHOD: Final = b"\x05\xff"
# RFC 1929 section 2: any status but zero is a no, and the connection is closed.
SECRET_TAKEN: Final = b"\x01\x00"
SECRET_REFUSED: Final = b"\x01\x01"
# "Request rejected or failed", the whole of a SOCKS4 reply: VN is 0 and the rest is ignored.
SOCKS4_REFUSED: Final = b"\x00\x5b" + bytes(6)


class Command(IntEnum):
    """CMD of RFC 1928 section 4, those that are served."""

    CONNECT = 1
    UDP_ASSOCIATE = 3


_COMMANDS = frozenset(Command)
_REPLY_HEADS: Final = {code: bytes((VERSION, code, 0)) for code in SocksReply}


@dataclass(frozen=True, slots=True)
class Greeted:
    """The client offered a method that we take, and waits for `answer`."""

    answer: bytes


_GREETED, _GREETED_FOR_SECRET = Greeted(METHOD_CHOSEN), Greeted(SECRET_WANTED)


@dataclass(frozen=True, slots=True)
class SecretShown:
    """The client shows this; whoever knows what is right calls `admit`, or hangs up.

    The user's name that came with it says nothing that could be trusted, so it is not kept.
    """

    secret: bytes


class SocksRequest(NamedTuple):
    """What the client wants. `host` is spelled as it came.

    For `UDP_ASSOCIATE` they are where its datagrams will come from, zeros if it can't say.
    """

    command: Command
    host: bytes
    port: int


class _State(Enum):
    GREETING = auto()
    SECRET = auto()
    JUDGED = auto()  # somebody looks at the secret
    REQUEST = auto()


class Handshake:
    """Reads what comes until the request, in order. `unread` holds what came after it.

    The buffer never needs more than 513 bytes (RFC 1929: 1 + 1 + 255 + 1 + 255): every length is
    one octet.
    """

    __slots__ = ("_asks_secret", "_buffer", "_state", "unread")

    def __init__(self, *, asks_secret: bool = False) -> None:
        self._asks_secret = asks_secret
        self._buffer = b""
        self._state = _State.GREETING
        self.unread = b""

    def receive(self, data: bytes) -> NeedData | Greeted | SecretShown | SocksRequest:
        """Take the next bytes; b"" asks again after an event. Raises `SocksProtocolError`."""
        self._buffer += data
        match self._state:
            case _State.GREETING:
                return self._greeting()
            case _State.SECRET:
                return self._secret()
            case _State.REQUEST:
                return self._request()
            case early:
                raise AssertionError(f"bytes in {early}")

    @property
    def has_more(self) -> bool:
        """Something came after what was read last."""
        return bool(self._buffer)

    def admit(self) -> None:
        """The secret was right: the request may follow."""
        if self._state is not _State.JUDGED:
            raise AssertionError(f"a secret was right in {self._state}")
        self._state = _State.REQUEST

    def _greeting(self) -> NeedData | Greeted:
        buffer = self._buffer
        _refuse_other_version(buffer)
        if len(buffer) < _GREETING_BYTES or len(buffer) < _GREETING_BYTES + buffer[1]:
            return NEED_DATA
        end = _GREETING_BYTES + buffer[1]
        wanted = _USERNAME_PASSWORD if self._asks_secret else _NO_AUTHENTICATION
        if wanted not in buffer[_GREETING_BYTES:end]:
            raise SocksProtocolError("no acceptable method", answer=NO_ACCEPTABLE_METHOD)
        self._buffer = buffer[end:]
        self._state = _State.SECRET if self._asks_secret else _State.REQUEST
        return _GREETED_FOR_SECRET if self._asks_secret else _GREETED

    def _secret(self) -> NeedData | SecretShown:
        """RFC 1929 section 2. A name of no length is let pass: the secret alone counts."""
        buffer = self._buffer
        if buffer and buffer[0] != _SECRET_VERSION:
            raise SocksProtocolError("a request without the secret", answer=SECRET_REFUSED)
        if len(buffer) < _SECRET_BYTES or len(buffer) <= (start := _SECRET_BYTES + buffer[1]):
            return NEED_DATA
        end = start + 1 + buffer[start]
        if len(buffer) < end:
            return NEED_DATA
        self._buffer = buffer[end:]
        self._state = _State.JUDGED
        return SecretShown(buffer[start + 1 : end])

    def _request(self) -> NeedData | SocksRequest:
        buffer = self._buffer
        # What came behind it is nobody's to remember.
        read = _read_request(buffer[: _request_bytes(buffer)])
        if read is None:
            return NEED_DATA
        request, end = read
        self.unread = buffer[end:]
        return request


def _request_bytes(buffer: bytes) -> int:
    """How long the request is that begins here, or more than there is; of a bad one no matter."""
    if len(buffer) <= _REQUEST_HEAD_BYTES:
        return _REQUEST_HEAD_BYTES
    atyp = buffer[_ATYP]
    count = 1 + buffer[_ATYP + 1] if atyp == _ATYP_NAME else _ADDRESS_BYTES.get(atyp, 0)
    return _REQUEST_HEAD_BYTES + count + _PORT_BYTES


# A request is a function of its bytes, and a run comes back to the same few destinations.
@lru_cache(maxsize=256)
def _read_request(buffer: bytes) -> tuple[SocksRequest, int] | None:
    """Read one, and say where it ends; None if there is not enough of it."""
    _refuse_bad_start(buffer)
    if len(buffer) < _REQUEST_HEAD_BYTES + 1:
        return None
    place = read_address(buffer, _ATYP)
    if place is None:
        return None
    host, port, end = place
    return SocksRequest(command=Command(buffer[1]), host=host, port=port), end


def read_address(buffer: bytes, at: int) -> tuple[bytes, int, int] | None:
    """Read ATYP, address and port (RFC 1928 section 5): host, port, where they end.

    None if there is not enough of it. Raises KeyError for an unknown ATYP.
    """
    atyp = buffer[at]
    if atyp == _ATYP_NAME:
        if len(buffer) < at + 2:
            return None
        start, count = at + 2, buffer[at + 1]
    else:
        start, count = at + 1, _ADDRESS_BYTES[atyp]
    end = start + count
    if len(buffer) < end + _PORT_BYTES:
        return None
    octets = buffer[start:end]
    return _host(atyp, octets), int.from_bytes(buffer[end : end + _PORT_BYTES]), end + _PORT_BYTES


def write_address(address: str, port: int) -> bytes:
    """ATYP, address and port of an address in canonical text."""
    return _packed(address) + port.to_bytes(_PORT_BYTES)


@lru_cache(maxsize=64)  # addresses of this host
def _packed(address: str) -> bytes:
    if ":" in address:
        return bytes((_ATYP_IPV6,)) + IPv6Address(address).packed
    return bytes((_ATYP_IPV4,)) + IPv4Address(address).packed


def reply(code: SocksReply, *, address: str = _NO_ADDRESS, port: int = 0) -> bytes:
    """Build a reply (RFC 1928 section 6).

    BND is the address that the dial left from, or where an association takes datagrams.
    """
    return _REPLY_HEADS[code] + _packed(address) + port.to_bytes(_PORT_BYTES)


def _refuse_other_version(buffer: bytes) -> None:
    if not buffer or buffer[0] == VERSION:
        return
    if buffer[0] == SOCKS4_VERSION:
        raise SocksProtocolError("SOCKS4; only SOCKS5 is served", answer=SOCKS4_REFUSED)
    # HTTP and TLS clients can't read any SOCKS answer: close without one.
    raise SocksProtocolError(f"SOCKS version {buffer[0]}, expected 5", answer=b"")


def _refuse_bad_start(buffer: bytes) -> None:
    """Check each octet of VER CMD RSV ATYP as soon as it is there."""
    if buffer[:1] not in {b"", b"\x05"}:
        raise _refusal("the request is not SOCKS version 5", SocksReply.GENERAL_FAILURE)
    if len(buffer) > 1 and buffer[1] not in _COMMANDS:
        raise _refusal("only CONNECT and UDP ASSOCIATE", SocksReply.COMMAND_NOT_SUPPORTED)
    if len(buffer) > _RSV and buffer[_RSV] != 0:
        raise _refusal("the reserved octet is not zero", SocksReply.GENERAL_FAILURE)
    if len(buffer) > _ATYP and buffer[_ATYP] not in _ADDRESS_TYPES:
        raise _refusal("unknown address type", SocksReply.ADDRESS_TYPE_NOT_SUPPORTED)


def _host(atyp: int, octets: bytes) -> bytes:
    match atyp:
        case 1:
            return b"%d.%d.%d.%d" % tuple(octets)
        case 4:
            return str(IPv6Address(octets)).encode("ascii")
        case _:
            return octets


def _refusal(message: str, code: SocksReply) -> ClientProtocolError:
    return SocksProtocolError(message, answer=reply(code))
