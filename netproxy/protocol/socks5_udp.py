"""The header of every datagram of a SOCKS5 association (RFC 1928 section 7). No socket, no policy.

RSV RSV FRAG ATYP DST.ADDR DST.PORT, then the data. Fragments may be dropped by whoever does not
put them together, and are: nobody sends them, and a queue of halves is only good for filling it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from netproxy.protocol.socks5 import read_address, write_address
from otel.values import dataclass

_FRAG, _ATYP = 2, 3  # where they are
_NOT_A_FRAGMENT: Final = b"\x00\x00\x00"
# The longest header: 4 + 1 + 255 + 2. The address is looked for within so many bytes only.
_HEADER_BYTES = 262


class Dropped(Enum):
    """Why a datagram goes nowhere."""

    FRAGMENT = "a fragment"
    MALFORMED = "not a SOCKS5 datagram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """Where the client wants it to go, and what. `host` is spelled as it came."""

    host: bytes
    port: int
    data: memoryview


def read_datagram(data: memoryview) -> Datagram | Dropped:
    """Take the header off. What comes back looks into `data`: it holds as long as that does."""
    header = bytes(data[:_HEADER_BYTES])
    if len(header) <= _ATYP or header[:_FRAG] != _NOT_A_FRAGMENT[:_FRAG]:
        return Dropped.MALFORMED
    if header[_FRAG] != 0:
        return Dropped.FRAGMENT
    try:
        place = read_address(header, _ATYP)
    except KeyError:
        return Dropped.MALFORMED
    if place is None:
        return Dropped.MALFORMED
    host, port, end = place
    return Datagram(host=host, port=port, data=data[end:])


def header_from(address: str, port: int) -> bytes:
    """Build what goes before the data of a peer's answer."""
    return _NOT_A_FRAGMENT + write_address(address, port)
