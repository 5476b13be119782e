"""Whether this process runs inside a fence of ours. The kernel is asked, and no variable believed.

A variable is set by whoever starts us: one that switched the fence off would be a way around it.
What is looked at can be made by nobody who could not leave the fence out himself: all of it at
once needs namespaces that somebody else has built around us.
"""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.config import HTTP_PORT

_PROC = Path("/proc")
_CAPABILITIES = re.compile(r"^Cap(?:Prm|Eff|Bnd):\s*0+$", re.MULTILINE)
_THREE_SETS = 3
_NO_WAY_BACK = re.compile(r"^NoNewPrivs:\s*1$", re.MULTILINE)
_FILTERED = re.compile(r"^Seccomp:\s*2$", re.MULTILINE)  # 2: by a program (proc(5))
_LISTENING = "0A"  # include/net/tcp_states.h
# As /proc/net/tcp writes 127.0.0.1 on both machines that the fence knows: they are little-endian.
_LISTENER = f"0100007F:{HTTP_PORT:04X}"


def is_inside(proc: Path = _PROC) -> bool:
    """Look at ourselves, the network and the fence's init, which its /proc shows as nothing."""
    try:
        if not is_confined((proc / "self/status").read_text()):
            return False
        return (
            is_lonely((proc / "self/net/dev").read_text())
            and has_listener((proc / "self/net/tcp").read_text())
            and not any((proc / "1").iterdir())
        )
    except OSError:
        return False


def is_confined(status: str) -> bool:
    """No capability, and no way to get one; a filter of system calls."""
    return (
        len(_CAPABILITIES.findall(status)) == _THREE_SETS
        and _NO_WAY_BACK.search(status) is not None
        and _FILTERED.search(status) is not None
    )


def is_lonely(devices: str) -> bool:
    """Only the loopback: whoever built this network, nothing gets out of it by itself."""
    names = [line.partition(":")[0].strip() for line in devices.splitlines() if ":" in line]
    return names == ["lo"]


def has_listener(sockets: str) -> bool:
    """The gateway's, which was there before the first instruction."""
    rows = (line.split() for line in sockets.splitlines())
    return any(row[1:2] == [_LISTENER] and row[3:4] == [_LISTENING] for row in rows)
