"""Who is at the other end of a local socket, by the kernel's word (SO_PEERCRED, unix(7))."""

from __future__ import annotations

import pwd
import socket
import struct
from typing import TYPE_CHECKING

from approvals.http.identity import EVERY_PERMISSION, Identity
from approvals.http.problems import Problem
from approvals.http.rejections import record_rejection
from approvals.model import Rejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from approvals.ports import EventSink

CHANNEL = "cli"
# struct ucred: pid_t, uid_t, gid_t.
_UCRED = struct.Struct("iII")


class PeerCredentials:
    """Fills `approvals.http.site.Authenticate` for the control socket.

    The gateway's own user and root may do everything; nobody else may do anything, and neither may
    a process of the run itself: it is who is asked about.
    """

    def __init__(self, *, sink: EventSink, uid: int, is_own: Callable[[int], bool]) -> None:
        self._sink = sink
        self._uids = {uid, 0}
        self._is_own = is_own

    async def __call__(self, request: web.Request, /) -> Identity:
        """Raises `Problem` 403."""
        pid, uid = _peer(request)
        name = user_name(uid)
        if uid not in self._uids or self._is_own(pid):
            record_rejection(self._sink, Rejection.FORBIDDEN, channel=CHANNEL, reviewer=name)
            raise Problem(403, "forbidden", "this socket is for the gateway's own user")
        return Identity(name=name, channel=CHANNEL, permissions=EVERY_PERMISSION)


def user_name(uid: int) -> str:
    """The name of a user, as the audit trail has it; the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _peer(request: web.Request) -> tuple[int, int]:
    """Process and user that connected. A connection that is gone belongs to nobody (-1)."""
    if request.transport is None:
        return 0, -1
    connection = request.transport.get_extra_info("socket")
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    except OSError:
        return 0, -1
    pid, uid, _ = _UCRED.unpack(data)
    return pid, uid
