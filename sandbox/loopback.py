"""Listeners on this host's loopback that serve their own user only. For `--no-sandbox`.

Anybody on the host can connect to a loopback port; whose socket it is stands in /proc/net/tcp
(proc_pid_net(5)). It is read anew for each client: slow with very many sockets, and no fence.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import override

_TABLE = Path("/proc/net/tcp")
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
