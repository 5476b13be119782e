"""Whose socket is at the other end, on this host: for listeners that serve one user only.

Anybody on the host can connect to a loopback port, and send to it. Whose a client is the kernel is
asked; where it has no module for that, and for datagrams, it stands in /proc/net/tcp and its like
(proc_pid_net(5)), which take longer the more sockets there are. No fence: the same user is served.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, override

from sandbox.linux.sock_diag import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.linux.sock_diag import Address

_TABLE, _TABLE_IPV6 = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
# A socket of IPv6 can speak over IPv4, too: it stands there with this before its addresses.
_MAPPED = bytes(10) + b"\xff\xff"
_DATAGRAM_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
_LOCAL, _REMOTE, _USER, _INODE = 1, 2, 7, 9  # columns of the table
_STRANGERS = 32  # hung up on at a time; then whoever else the gateway serves has a turn
_NOBODY = ("0.0.0.0", 0)  # noqa: S104  # the other end of a listener, no bind


class OwnListener(socket.socket):
    """A listening socket; clients of other users are hung up on, and never seen.

    `on_stranger` is told the address of each of those.
    """

    def __init__(
        self, backlog: int, *, port: int = 0, on_stranger: Callable[[Address], None] | None = None
    ) -> None:
        """Listen on this port of 127.0.0.1, or on a free one. Raises `OSError`."""
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        # Connections of an earlier run that linger on the port are no reason to refuse it.
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.bind(("127.0.0.1", port))
        except OSError:
            super().close()
            raise
        self.listen(backlog)
        self.setblocking(False)
        self.on_stranger = on_stranger
        self._near: Address = self.getsockname()
        self._diagnosis = _diagnosis(self._near)
        self._owner = owner_by_table if self._diagnosis is None else self._diagnosis.owner

    def _accept(self) -> tuple[int, Address]:
        """Take one client. `accept` calls this, and so does the gateway, which does without it."""
        for _ in range(_STRANGERS):
            descriptor, address = super()._accept()  # type: ignore[misc]  # the C type's own
            try:
                owner = self._owner(address, self._near)
            except OSError:  # no descriptor to look with: then it must not keep one either
                os.close(descriptor)
                raise
            if owner == os.getuid():
                return descriptor, address
            os.close(descriptor)
            if self.on_stranger is not None:
                self.on_stranger(address)
        raise BlockingIOError(errno.EAGAIN, "too many strangers at once")

    @override
    def close(self) -> None:
        if self._diagnosis is not None:
            self._diagnosis.close()
        super().close()


def _diagnosis(listener: tuple[str, int]) -> Diagnosis | None:
    """None where this kernel does not find the listener itself."""
    try:
        diagnosis = Diagnosis()
    except OSError:
        return None
    with suppress(OSError):
        if diagnosis.owner(listener, _NOBODY) == os.getuid():
            return diagnosis
    diagnosis.close()
    return None


def is_same_user(source: tuple[str, int], client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether a datagram may come from the program whose TCP connection to us this is.

    On this host it has to be a socket of the same user: several may share an address and port, and
    which one has sent can't be told, so all of them. Of another host nothing is known here.
    """
    owner = owner_by_table(client, server)
    if owner is None:
        return not (client[0].startswith("127.") or client[0] == "::1")
    address, port = _spelled(source).split(":")
    mapped = _spelled(source, _MAPPED).split(":")[0]
    wanted = {f"{local}:{port}" for local in (address, "0" * 8, mapped, "0" * 32)}
    owners = {
        int(words[_USER]) if words[_INODE] != "0" else None
        for table in _DATAGRAM_TABLES
        if table.exists()
        for words in map(str.split, table.read_text(encoding="ascii").splitlines())
        if words[_LOCAL] in wanted
    }
    return owners == {owner}


def owner_by_table(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user whose socket `client` is; None if nobody holds it any more.

    The kernel shows such a socket as root's, without an inode.
    """
    tables = [(_TABLE_IPV6, b"")] if ":" in client[0] else [(_TABLE, b""), (_TABLE_IPV6, _MAPPED)]
    for table, prefix in tables:
        wanted = [_spelled(end, prefix) for end in (client, server)]
        for line in table.read_text(encoding="ascii").splitlines() if table.exists() else ():
            words = line.split()
            if words[_LOCAL : _REMOTE + 1] == wanted:
                return int(words[_USER]) if words[_INODE] != "0" else None
    return None


def _spelled(address: tuple[str, int], prefix: bytes = b"") -> str:
    """As the tables have it: words of four bytes as numbers in the byte order of this machine."""
    host, port = address
    packed = prefix + socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
