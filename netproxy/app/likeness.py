"""Whether a process that offers a run sees the same host as we do, by the kernel's word.

It builds a sandbox from paths that we looked up, and connections leave from here: so it has to have
our user, our namespaces and our root, and be fenced in by nothing that we are not.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# struct ucred: pid_t, uid_t, gid_t.
_UCRED = struct.Struct("iII")
_NAMESPACES = ("mnt", "net", "pid", "user")
# proc(5), status: what a process can't shake off, and passes on.
_FENCES = ("NoNewPrivs:", "Seccomp:")
_PROC = Path("/proc")


class Peer(NamedTuple):
    """Who is at the other end of a unix socket (SO_PEERCRED)."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """Raises `OSError`."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(data)
    return Peer(pid=pid, uid=uid)


def difference(peer: Peer, *, proc: Path = _PROC) -> str | None:
    """What keeps it from being one like us; None: nothing. Who is gone differs."""
    if peer.uid != os.geteuid():
        return f"user {peer.uid}"
    try:
        return next(_differences(proc / str(peer.pid), proc / "self"), None)
    except OSError as error:
        return f"it can't be looked at: {error.strerror}"


def _differences(theirs: Path, ours: Path) -> Iterator[str]:
    for name in _NAMESPACES:
        if _identity(theirs / "ns" / name) != _identity(ours / "ns" / name):
            yield f"another {name} namespace"
    if _identity(theirs / "root") != _identity(ours / "root"):
        yield "another root"
    if _fences(theirs) != _fences(ours):
        yield "it is fenced in"
    if _label(theirs) != _label(ours):
        yield "another security label"


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _fences(process: Path) -> list[str]:
    lines = (process / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.startswith(_FENCES)]


def _label(process: Path) -> bytes | None:
    """What AppArmor or SELinux holds it by; None where the kernel has neither (EINVAL)."""
    try:
        return (process / "attr" / "current").read_bytes()
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT}:
            return None
        raise
