"""SOCKS5 from the server's side: greeting, then one request (RFC 1928). No socket, no policy.

Only CONNECT and only "no authentication": who asks is known by the listener. The host stays bytes:
its canonical form is `netproxy.policy.hosts`, which refuses what a resolver would read otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from netproxy.errors import ClientProtocolError, SocksProtocolError, SocksReply
from netproxy.protocol.buffer import NEED_DATA, NeedData

_VERSION = 5
_NO_AUTHENTICATION = 0
_CONNECT = 1
_ATYP_IPV4, _ATYP_NAME, _ATYP_IPV6 = 1, 3, 4
_ADDRESS_TYPES = frozenset({_ATYP_IPV4, _ATYP_NAME, _ATYP_IPV6})
_ADDRESS_BYTES = {_ATYP_IPV4: 4, _ATYP_IPV6: 16}
_GREETING_BYTES = 2  # VER and NMETHODS, before the methods
_RSV, _ATYP = 2, 3  # where they are in a request (RFC 1928 section 4)
_REQUEST_HEAD_BYTES = 4
# What a reply names when there is no bound address to name; nothing is bound to it.
_NO_ADDRESS = "0.0.0.0"  # noqa: S104  # text in a reply, never bind()
_PORT_BYTES = 2

METHOD_CHOSEN: Final = b"\x05\x00"
NO_ACCEPTABLE_METHOD: Final = b"\x05\xff"


@dataclass(frozen=True, slots=True)
class Greeted:
    """The client offered a method that we take; it waits for `METHOD_CHOSEN`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocksRequest:
    """The client wants a connection to this host, spelled as it came."""

    host: bytes
    port: int


class Handshake:
    """Reads greeting and request. `unread` holds what came after the request.

    The buffer never needs more than 262 bytes (4 + 1 + 255 + 2): every length is one octet.
    """

    __slots__ = ("_buffer", "_is_greeted", "unread")

    def __init__(self) -> None:
        self._buffer = b""
        self._is_greeted = False
        self.unread = b""

    def receive(self, data: bytes) -> NeedData | Greeted | SocksRequest:
        """Take the next bytes; b"" asks again after an event. Raises `SocksProtocolError`."""
        self._buffer += data
        return self._request() if self._is_greeted else self._greeting()

    def _greeting(self) -> NeedData | Greeted:
        buffer = self._buffer
        if buffer and buffer[0] != _VERSION:
            # SOCKS4 and HTTP clients can't read a SOCKS5 answer: close without one.
            raise SocksProtocolError(f"SOCKS version {buffer[0]}, expected 5", answer=b"")
        if len(buffer) < _GREETING_BYTES or len(buffer) < _GREETING_BYTES + buffer[1]:
            return NEED_DATA
        end = 2 + buffer[1]
        if _NO_AUTHENTICATION not in buffer[2:end]:
            raise SocksProtocolError("no acceptable method", answer=NO_ACCEPTABLE_METHOD)
        self._buffer = buffer[end:]
        self._is_greeted = True
        return Greeted()

    def _request(self) -> NeedData | SocksRequest:
        buffer = self._buffer
        _refuse_bad_start(buffer)
        if len(buffer) < _REQUEST_HEAD_BYTES + 1:
            return NEED_DATA
        atyp = buffer[3]
        start = _REQUEST_HEAD_BYTES + (atyp == _ATYP_NAME)
        end = start + (buffer[4] if atyp == _ATYP_NAME else _ADDRESS_BYTES[atyp])
        if len(buffer) < end + _PORT_BYTES:
            return NEED_DATA
        self.unread = buffer[end + _PORT_BYTES :]
        port = int.from_bytes(buffer[end : end + _PORT_BYTES])
        return SocksRequest(host=_host(atyp, buffer[start:end]), port=port)


def _refuse_bad_start(buffer: bytes) -> None:
    """Check each octet of VER CMD RSV ATYP as soon as it is there."""
    if buffer[:1] not in {b"", b"\x05"}:
        raise _refusal("the request is not SOCKS version 5", SocksReply.GENERAL_FAILURE)
    if len(buffer) > 1 and buffer[1] != _CONNECT:
        raise _refusal("only CONNECT is served", SocksReply.COMMAND_NOT_SUPPORTED)
    if len(buffer) > _RSV and buffer[_RSV] != 0:
        raise _refusal("the reserved octet is not zero", SocksReply.GENERAL_FAILURE)
    if len(buffer) > _ATYP and buffer[_ATYP] not in _ADDRESS_TYPES:
        raise _refusal("unknown address type", SocksReply.ADDRESS_TYPE_NOT_SUPPORTED)


def _host(atyp: int, octets: bytes) -> bytes:
    match atyp:
        case 1:
            return str(IPv4Address(octets)).encode("ascii")
        case 4:
            return str(IPv6Address(octets)).encode("ascii")
        case _:
            return octets


def _refusal(message: str, code: SocksReply) -> ClientProtocolError:
    return SocksProtocolError(message, answer=reply(code))


def reply(code: SocksReply, *, address: str = _NO_ADDRESS, port: int = 0) -> bytes:
    """Build a reply (RFC 1928 section 6); BND is the address that the dial left from."""
    packed = ip_address(address).packed
    atyp = _ATYP_IPV4 if len(packed) == _ADDRESS_BYTES[_ATYP_IPV4] else _ATYP_IPV6
    return bytes((_VERSION, code, 0, atyp)) + packed + port.to_bytes(_PORT_BYTES)
