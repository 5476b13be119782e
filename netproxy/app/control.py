"""The way to a gateway by its control socket: the HTTP API, and who reads it is a reviewer.

Until somebody connects there is a listening socket and nothing else; then what serves is imported,
beside the loop. A client that comes meanwhile waits in the socket's queue.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from netproxy.app.descent import descends_from

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from approvals.ports import Inbox
    from approvals.store.tokens import Tokens
    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.reviewing import Room


@asynccontextmanager
async def controlled(room: Room, control: ControlSocket, inbox: Inbox) -> AsyncIterator[None]:
    """Answer on the socket as long as the block lasts."""
    loop = asyncio.get_running_loop()
    knocked = loop.create_future()

    def knock() -> None:
        loop.remove_reader(control.listener)
        knocked.set_result(None)

    loop.add_reader(control.listener, knock)
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(_guarded(room, control, inbox, knocked))
            try:
                yield
            finally:
                serving.cancel()
    finally:
        if not knocked.done():  # else whoever serves has closed it by now
            loop.remove_reader(control.listener)


async def _guarded(
    room: Room, control: ControlSocket, inbox: Inbox, knocked: asyncio.Future[None]
) -> None:
    """Nobody who is being served loses that because the control socket can't be."""
    try:
        await _serve(room, control, inbox, knocked)
    except Exception as error:  # noqa: BLE001  # a task's root: commands go on, without this way
        room.report(f"netproxy: the control socket failed: {type(error).__name__}: {error}")
        control.listener.close()  # whoever waits in its queue learns at once that nobody comes


async def _serve(
    room: Room, control: ControlSocket, inbox: Inbox, knocked: asyncio.Future[None]
) -> None:
    await knocked
    await asyncio.to_thread(_import)
    from approvals.http.api import add_api
    from approvals.http.application import make_application
    from approvals.http.peer import PeerCredentials
    from approvals.http.server import HttpServer
    from approvals.http.site import Site

    site = Site(
        inbox=inbox,
        surroundings=room.surroundings,
        sink=room.trail,
        clock=room.clock,
        presence=room.presence,
        hosts=None,
        authenticate=PeerCredentials(
            sink=room.trail,
            uid=os.geteuid(),
            is_own=lambda pid: descends_from(pid, os.getpid()) or room.is_own(pid),
        ),
        log=room.detail,
        report=room.report,
        tokens=tokens_of(room),
        logins=None if room.inbox is None else room.inbox.links,
    )
    app = make_application(site)
    add_api(app, local=True)
    async with HttpServer(app, [control.listener]):
        await asyncio.Event().wait()


def tokens_of(room: Room) -> Tokens | None:
    """The tokens of the gateway's store; None where what is kept ends with the process."""
    from approvals.store.memory import MemoryStore
    from approvals.store.tokens import Tokens

    if isinstance(room.store, MemoryStore):
        return None
    return Tokens(room.store.database, room.clock)


def _import() -> None:
    """Import what takes long (aiohttp 0.2 s, pydantic) while connections go on to be served."""
    import approvals.http.api
    import approvals.http.peer
    import approvals.http.server  # noqa: F401  # imported for the next ones
