"""Netlink messages as bytes (netlink(7), linux/netlink.h): ours, and the kernel's. Pure.

Numbers of headers are in the machine's order. What each family puts inside is in its own module:
`rtnetlink`, `nftables`, `nflog`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_ROUTE: Final = 0
NETLINK_NETFILTER: Final = 12
REQUEST: Final = 0x1
ACK: Final = 0x4
EXCLUSIVE: Final = 0x200
CREATE: Final = 0x400

_ERROR: Final = 2
_NESTED: Final = 0x8000
_KIND_MASK: Final = 0x3FFF
_ALIGNMENT: Final = 4
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_ERRNO: Final = struct.Struct("=i")


@dataclass(frozen=True, slots=True)
class Message:
    """One from the kernel."""

    kind: int
    sequence: int
    body: bytes

    def failure(self) -> int | None:
        """The errno that it reports, 0 for an acknowledgement; None when it is something else."""
        if self.kind != _ERROR or len(self.body) < _ERRNO.size:
            return None
        return -int(_ERRNO.unpack_from(self.body)[0])


def message(kind: int, flags: int, body: bytes, *, sequence: int = 0) -> bytes:
    """One for the kernel, padded so that another can follow."""
    length = _HEADER.size + len(body)
    return _padded(_HEADER.pack(length, kind, flags, sequence, 0) + body)


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute with what fills it up to the next."""
    return _padded(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(attributes))


def messages(data: bytes) -> Iterator[Message]:
    """Take one datagram from the kernel apart; what is cut off at its end is left out."""
    for _, (_, kind, _, sequence, _), body in _parts(data, _HEADER):
        yield Message(kind, sequence, body)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the values by kind. Of a kind that comes twice the last one counts."""
    return {kind & _KIND_MASK: body for _, (_, kind), body in _parts(data, _ATTRIBUTE)}


def _parts(data: bytes, header: struct.Struct) -> Iterator[tuple[int, tuple[int, ...], bytes]]:
    """Walk over what begins with its own length, header included."""
    at = 0
    while at + header.size <= len(data):
        fields = header.unpack_from(data, at)
        end = at + fields[0]
        if fields[0] < header.size or end > len(data):
            return
        yield at, fields, data[at + header.size : end]
        at = end + -end % _ALIGNMENT


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
