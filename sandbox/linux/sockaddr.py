"""A socket address as the kernel is given one (struct sockaddr): which path it names. Pure."""

from __future__ import annotations

import sys

_AF_UNIX = 1
_FAMILY_BYTES = 2


def path_of(address: bytes) -> str | None:
    """Return the path that an address of a unix socket names; None for every other address.

    An abstract name, one that the kernel chooses, and what is no text name none. unix(7): a path
    ends at the first NUL, or with the address.
    """
    family = int.from_bytes(address[:_FAMILY_BYTES], sys.byteorder)
    if family != _AF_UNIX or len(address) <= _FAMILY_BYTES:
        return None
    path, _, _ = address[_FAMILY_BYTES:].partition(b"\0")
    try:
        return path.decode() or None
    except UnicodeDecodeError:
        return None


def port_of(address: bytes) -> int:
    """Return the port of an IPv4 or IPv6 address; 0 where there is none. It is in network order."""
    return int.from_bytes(address[2:4], "big")
