"""The addresses of this host's interfaces, as the kernel lists them (rtnetlink, RTM_GETADDR).

A public one among them leads back to this host, past every firewall in front of it. Routes that
make whole ranges local (AnyIP) are not listed, nor is what a router translates to this host.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from netproxy.policy.blocks import Address, Blocks, single

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# linux/netlink.h and linux/rtnetlink.h, in the byte order of the machine.
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_MESSAGE = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_DONE, _ERROR = 3, 2
_NEW_ADDRESS, _GET_ADDRESS = 20, 22
_REQUEST, _DUMP = 0x1, 0x300
# On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL ours.
_ADDRESS, _LOCAL = 1, 2
_VERSIONS = {4: 4, 16: 6}  # by the number of bytes
_KERNEL = 0  # its port, from which no process can send

# The kernel answers from memory; what a dump of many addresses needs comes in several parts.
_ANSWER_SECONDS = 0.2
_PART_BYTES = 65536


def dump_addresses() -> Iterator[bytes]:
    """Ask the kernel, and yield its answer part by part."""
    body = _MESSAGE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    header = _HEADER.pack(_HEADER.size + len(body), _GET_ADDRESS, _REQUEST | _DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_ANSWER_SECONDS)
        kernel.sendto(header + body, (_KERNEL, 0))
        is_over = False
        while not is_over:
            part, (sender, _) = kernel.recvfrom(_PART_BYTES)
            if sender == _KERNEL:
                yield part
                is_over = any(kind in {_DONE, _ERROR} for kind, _ in _messages(part))


def host_addresses(dump: Callable[[], Iterable[bytes]] = dump_addresses) -> Blocks:
    """Return all that the kernel tells: nothing where it tells nothing (not Linux, or not here)."""
    found: set[Address] = set()
    try:
        for part in dump():
            found.update(addresses_in(part))
    except (OSError, AttributeError):
        # Without AF_NETLINK, or refused: the engine still refuses whatever is not public.
        pass
    return Blocks(single(address) for address in sorted(found))


def addresses_in(part: bytes) -> Iterator[Address]:
    """Read the addresses out of a part of the answer; what is malformed is left out."""
    for kind, body in _messages(part):
        if kind == _NEW_ADDRESS:
            attributes = dict(_attributes(body[_MESSAGE.size :]))
            ours = attributes.get(_LOCAL, attributes.get(_ADDRESS, b""))
            if version := _VERSIONS.get(len(ours)):
                yield Address(version, int.from_bytes(ours))


def _messages(part: bytes) -> Iterator[tuple[int, bytes]]:
    while len(part) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(part)
        if not _HEADER.size <= length <= len(part):
            return
        yield kind, part[_HEADER.size : length]
        part = part[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    """Messages and attributes begin at multiples of four bytes."""
    return (length + 3) & ~3
