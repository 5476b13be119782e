"""Routes that make every address there is one of this host's own (rtnetlink(7)). Pure bytes.

In a network namespace that has nothing but a loopback, a packet to anywhere then stays inside and
can be redirected; without a route connect(2) fails before any rule is asked. And two addresses, so
that programs don't take it for a host without a network.
"""

from __future__ import annotations

import struct
from typing import Final

from sandbox.linux.netlink import ACK, CREATE, EXCLUSIVE, REQUEST, attribute, message

_AF_INET: Final = 2
_AF_INET6: Final = 10
# linux/rtnetlink.h
_RTM_NEWADDR: Final = 20
_RTM_NEWROUTE: Final = 24
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_F_NODAD: Final = 0x02  # nobody else is there who could have it
_RT_SCOPE_UNIVERSE: Final = 0
_RTA_OIF: Final = 4
_RTA_PREFSRC: Final = 7
_RT_TABLE_LOCAL: Final = 255
_RTPROT_STATIC: Final = 4
_RT_SCOPE_HOST: Final = 254
_RTN_LOCAL: Final = 2
_ROUTE: Final = struct.Struct("=BBBBBBBBI")  # struct rtmsg
# The kernel would take the destination itself as the source, and a captured client would seem to
# be the host that it wants to reach.
_OWN4: Final = bytes((127, 0, 0, 1))
_OWN6: Final = bytes(15) + b"\x01"
_ADDRESS: Final = struct.Struct("=BBBBI")  # struct ifaddrmsg
# Of the block that names get their addresses from, and never given for one; and a local one
# (RFC 4193) that was made up once.
_BEYOND4: Final = bytes((198, 18, 0, 0))
_BEYOND6: Final = bytes.fromhex("fd6e657470720000 0000000000000001")


def beyond_loopback4(loopback: int) -> bytes:
    """`ip address add 198.18.0.0/32 dev lo`.

    To getaddrinfo(3) with AI_ADDRCONFIG a host that has nothing but 127.0.0.1 has no IPv4.
    """
    return _address(_AF_INET, loopback, _BEYOND4)


def beyond_loopback6(loopback: int) -> bytes:
    """`ip -6 address add fd6e:6574:7072::1/128 dev lo nodad`: the same for IPv6."""
    return _address(_AF_INET6, loopback, _BEYOND6)


def all_is_local4(loopback: int) -> bytes:
    """`ip route add local 0.0.0.0/0 dev lo src 127.0.0.1`; `loopback` is the interface's index."""
    return _route(_AF_INET, loopback, _OWN4)


def all_is_local6(loopback: int) -> bytes:
    """`ip -6 route add local ::/0 dev lo src ::1`."""
    return _route(_AF_INET6, loopback, _OWN6)


def _route(family: int, loopback: int, source: bytes) -> bytes:
    body = _ROUTE.pack(
        family, 0, 0, 0, _RT_TABLE_LOCAL, _RTPROT_STATIC, _RT_SCOPE_HOST, _RTN_LOCAL, 0
    )
    body += attribute(_RTA_OIF, struct.pack("=I", loopback)) + attribute(_RTA_PREFSRC, source)
    return message(_RTM_NEWROUTE, REQUEST | ACK | CREATE | EXCLUSIVE, body)


def _address(family: int, loopback: int, address: bytes) -> bytes:
    flags = _IFA_F_NODAD if family == _AF_INET6 else 0
    body = _ADDRESS.pack(family, 8 * len(address), flags, _RT_SCOPE_UNIVERSE, loopback)
    body += attribute(_IFA_LOCAL, address) + attribute(_IFA_ADDRESS, address)
    return message(_RTM_NEWADDR, REQUEST | ACK | CREATE | EXCLUSIVE, body)
