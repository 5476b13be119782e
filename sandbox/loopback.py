"""Sockets on this host's loopback that serve their own user only. For `--no-sandbox`.

Anybody on the host can connect to a loopback port, and send to it; whose socket it is stands in
/proc/net/tcp and its like (proc_pid_net(5)). They are read anew for each client: slow with very
many sockets, and no fence.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import override

_TABLE = Path("/proc/net/tcp")
# A socket of IPv6 can send datagrams over IPv4, too.
_DATAGRAM_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
_LOCAL, _REMOTE, _USER, _INODE = 1, 2, 7, 9  # columns of the table


class OwnListener(socket.socket):
    """A listening socket; clients of other users are hung up on, and never seen."""

    def __init__(self, backlog: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.bind(("127.0.0.1", 0))
        self.listen(backlog)
        self.setblocking(False)

    @override
    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        while True:
            client, address = super().accept()
            if _owner(address, client.getsockname()) == os.getuid():
                return client, address
            client.close()


class OwnDatagrams(socket.socket):
    """A UDP socket; datagrams from sockets of other users are dropped, and never seen."""

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self._known: object = None  # who was the last to be looked up, and is ours

    @override
    def recvfrom_into(  # type: ignore[override]  # of all that it takes, what is needed
        self, buffer: memoryview
    ) -> tuple[int, tuple[str, int]]:
        while True:
            count, source = super().recvfrom_into(buffer)
            if source == self._known or _is_ours(source):
                self._known = source
                return count, source


def _is_ours(source: tuple[str, int]) -> bool:
    """Whether a UDP socket that may have sent from there is our own user's; False without one.

    Several may share an address and port; which one of them has sent can't be told, so all count.
    """
    address, port = _spelled(source).split(":")
    mapped = f"0000000000000000FFFF0000{address}"
    wanted = {f"{local}:{port}" for local in (address, "0" * 8, mapped, "0" * 32)}
    owners = {
        int(words[_USER]) if words[_INODE] != "0" else None
        for table in _DATAGRAM_TABLES
        if table.exists()
        for words in map(str.split, table.read_text(encoding="ascii").splitlines())
        if words[_LOCAL] in wanted
    }
    return owners == {os.getuid()}


def _owner(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user whose socket `client` is; None if nobody holds it any more.

    The kernel shows such a socket as root's, without an inode.
    """
    wanted = [_spelled(client), _spelled(server)]
    for line in _TABLE.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[_LOCAL : _REMOTE + 1] == wanted:
            return int(words[_USER]) if words[_INODE] != "0" else None
    return None


def _spelled(address: tuple[str, int]) -> str:
    """As the table has it: the address as a number in the byte order of this machine."""
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
