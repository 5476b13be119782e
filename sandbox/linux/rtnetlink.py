"""Routes that make every address there is one of this host's own (rtnetlink(7)). Pure bytes.

In a network namespace that has nothing but a loopback, a packet to anywhere then stays inside and
can be redirected; without a route connect(2) fails before any rule is asked.
"""

from __future__ import annotations

import struct
from typing import Final

from sandbox.linux.netlink import ACK, CREATE, EXCLUSIVE, REQUEST, attribute, message

_AF_INET: Final = 2
_AF_INET6: Final = 10
# linux/rtnetlink.h
_RTM_NEWROUTE: Final = 24
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
