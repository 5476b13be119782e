"""Whether a process that offers a run sees the same host as we do, by the kernel's word.

It builds a sandbox from paths that we looked up, and connections leave from here: so it has to have
our user, our namespaces and our root, and be fenced in by nothing that we are not.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

# struct ucred: pid_t, uid_t, gid_t.
_UCRED = struct.Struct("iII")
_NAMESPACES = ("mnt", "net", "pid", "user")
# proc(5), status: what a process can't shake off, and passes on.
_FENCES = ("NoNewPrivs:", "Seccomp:")


class Peer(NamedTuple):
    """Who is at the other end of a unix socket (SO_PEERCRED)."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """Raises `OSError`."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(data)
    return Peer(pid=pid, uid=uid)


def difference(peer: Peer) -> str | None:
    """What keeps it from being one like us; None: nothing. Who is gone differs."""
    if peer.uid != os.geteuid():
        return f"user {peer.uid}"
    try:
        for name in _NAMESPACES:
            if _identity(f"/proc/{peer.pid}/ns/{name}") != _identity(f"/proc/self/ns/{name}"):
                return f"another {name} namespace"
        if _identity(f"/proc/{peer.pid}/root") != _identity("/proc/self/root"):
            return "another root"
        if _fences(f"/proc/{peer.pid}/status") != _fences("/proc/self/status"):
            return "it is fenced in"
    except OSError as error:
        return f"it can't be looked at: {error.strerror}"
    return None


def _identity(path: str) -> tuple[int, int]:
    found = Path(path).stat()
    return found.st_dev, found.st_ino


def _fences(path: str) -> list[str]:
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.startswith(_FENCES)]
