"""Packets that were refused, as the kernel reports them (linux/netfilter/nfnetlink_log.h). Pure.

Here is both what binds a netlink socket to the rules' log group, and what reads what comes. It
tells who wanted to send what to whom; of the packet itself nothing but its headers is asked for.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from otel.values import dataclass
from sandbox.config import REJECTED_GROUP, REJECTED_SNAP_BYTES
from sandbox.linux.netlink import ACK, REQUEST, attribute, attributes, message, messages

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUBSYSTEM: Final = 4
_PACKET: Final = _SUBSYSTEM << 8
_CONFIGURE: Final = _SUBSYSTEM << 8 | 1
_COMMAND, _MODE, _THRESHOLD = 1, 2, 5  # NFULA_CFG_*
_BIND: Final = 1
_COPY_PACKET: Final = 2
_PAYLOAD, _UID = 9, 11  # NFULA_*
_GENERIC_BYTES: Final = 4  # struct nfgenmsg
# The kernel would gather a hundred reports, or a second's: by then a short command has ended.
_GATHERED: Final = 1

_HEADER4_BYTES, _HEADER6_BYTES = 20, 40
_PORTS: Final = struct.Struct("!HH")
# IANA's protocol numbers whose first four bytes are ports; the rest has none.
_WITH_PORTS: Final = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
_NAMES: Final = {**_WITH_PORTS, 1: "icmp", 2: "igmp", 58: "icmpv6"}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A packet that was refused."""

    transport: str  # udp, icmp, …; a protocol without a name is its number
    address: str  # IPv4 dotted, IPv6 compressed
    port: int  # 0 where the protocol has none
    source_port: int
    uid: int | None  # of the socket, as the gateway's user namespace numbers it


def binding() -> bytes:
    """Make the socket that it is sent on the one that is told. Acknowledged."""
    body = (
        bytes((0, 0))
        + struct.pack("!H", REJECTED_GROUP)
        + attribute(_COMMAND, bytes((_BIND,)))
        + attribute(_MODE, struct.pack("!IBB", REJECTED_SNAP_BYTES, _COPY_PACKET, 0))
        + attribute(_THRESHOLD, struct.pack("!I", _GATHERED))
    )
    return message(_CONFIGURE, REQUEST | ACK, body)


def rejected(data: bytes) -> Iterator[Rejected]:
    """Read one datagram of the kernel's; what can't be read is left out."""
    for each in messages(data):
        if each.kind != _PACKET:
            continue
        told = attributes(each.body[_GENERIC_BYTES:])
        uid = told.get(_UID, b"")
        found = _headers(told.get(_PAYLOAD, b""), int.from_bytes(uid) if uid else None)
        if found is not None:
            yield found


def count(data: bytes) -> int:
    """How many packets one datagram of the kernel's reports, whatever they are."""
    return sum(each.kind == _PACKET for each in messages(data))


def _headers(packet: bytes, uid: int | None) -> Rejected | None:
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= _HEADER4_BYTES:  # noqa: PLR2004  # IP's own number
        header = max(packet[0] & 0xF, 5) * 4
        return _told(packet[9], packet[16:20], packet[header:], uid)
    if version == 6 and len(packet) >= _HEADER6_BYTES:  # noqa: PLR2004  # IP's own number
        return _told(packet[6], packet[24:40], packet[_HEADER6_BYTES:], uid)
    return None


def _told(protocol: int, address: bytes, rest: bytes, uid: int | None) -> Rejected:
    # Only where something was refused: it takes as long to import as a namespace to build.
    import ipaddress

    source, port = 0, 0
    if protocol in _WITH_PORTS and len(rest) >= _PORTS.size:
        source, port = _PORTS.unpack_from(rest)
    return Rejected(
        transport=_NAMES.get(protocol, str(protocol)),
        address=str(ipaddress.ip_address(address)),
        port=port,
        source_port=source,
        uid=uid,
    )
