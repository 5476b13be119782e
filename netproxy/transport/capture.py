"""Where a captured connection was going before it was redirected to us (nat, SO_ORIGINAL_DST)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from netproxy.connection.fake_names import FakeNames, is_fake
from netproxy.errors import InvalidDestination
from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import destination

if TYPE_CHECKING:
    from netproxy.transport.sockets import Socket

# linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h: both have this number.
_ORIGINAL_DST: Final = 80
_IPV4: Final = struct.Struct("=2x2s4s8x")  # struct sockaddr_in: family, port, address
_IPV6: Final = struct.Struct("=2x2s4x16s4x")  # struct sockaddr_in6: family, port, flow, address


class Captured:
    """Says where clients of the capture listeners go. `names` are those of their run."""

    __slots__ = ("_names",)

    def __init__(self, names: FakeNames) -> None:
        self._names = names

    def find(self, client: Socket) -> Destination:
        """Fills `netproxy.transport.known_driver.Find`: a name where the address stands for one."""
        address, port = original_destination(client)
        literal = socket.inet_ntop(client.family, address)
        if (literal, port) == client.getsockname()[:2]:
            raise InvalidDestination(f"{literal} port {port} is where connections are captured")
        if len(address) == 4 and is_fake(address):  # noqa: PLR2004  # IPv4
            name = self._names.name(address)
            if name is None:
                raise InvalidDestination(f"{literal} stands for no name in this run")
            literal = name
        return destination(literal, port, Protocol.TCP)


def original_destination(client: Socket) -> tuple[bytes, int]:
    """Return the address, packed, and port that an accepted client connected to.

    Raises `OSError` (ENOENT) if nothing redirected it here.
    """
    if client.family == socket.AF_INET6:
        found = client.getsockopt(socket.IPPROTO_IPV6, _ORIGINAL_DST, _IPV6.size)
        port, address = _IPV6.unpack(found)
    else:
        found = client.getsockopt(socket.IPPROTO_IP, _ORIGINAL_DST, _IPV4.size)
        port, address = _IPV4.unpack(found)
    return address, int.from_bytes(port)
