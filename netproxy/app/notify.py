"""Tells systemd how a service is doing (sd_notify(3)); without systemd, nobody."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send `READY=1`, `STOPPING=1`. Who can't, goes on."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        # "@" stands for the null byte of an abstract name (unix(7)).
        sock.sendto(state.encode("ascii"), address.replace("@", "\0", 1))
