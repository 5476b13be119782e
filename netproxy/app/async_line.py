"""The gateway's end of the line to a launcher: it waits for a word in its event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from netproxy.app.frames import Frames, framed, read_piece
from sandbox.command import resolve
from sandbox.errors import LaunchFailed

if TYPE_CHECKING:
    import socket


class LauncherLost(LaunchFailed):
    """The launcher has hung up: whatever it started ends with it."""


class AsyncLine:
    """Make it in a running loop, of a socket that does not block. One reader at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._frames = Frames()
        self._loop = asyncio.get_running_loop()

    async def say(self, kind: str, value: object = None) -> None:
        """Send a message without open files. Who has hung up hears nothing."""
        data, _ = framed((kind, value))
        with suppress(OSError):
            await self._loop.sock_sendall(self.connection, data)

    async def receive(self) -> tuple[str, Any]:
        """Return the next message. Raises LauncherLost, and LaunchFailed for what is none."""
        while (message := self._frames.take()) is None:
            await self._readable()
            try:
                goes_on = read_piece(self.connection, self._frames)
            except BlockingIOError:
                continue
            except OSError as error:
                raise LauncherLost(str(error)) from error
            if not goes_on:
                raise LauncherLost("the launcher hung up")
        match message:
            case (str(kind), value):
                return kind, value
        raise LaunchFailed("a message without a kind")

    async def expect(self, kind: str) -> Any:
        """Return what comes with the next message, which has to be of this kind."""
        found, value = await self.receive()
        if found != kind:
            raise LaunchFailed(f"the launcher said {found} and not {kind}")
        return value

    def close(self) -> None:
        """Hang up."""
        self._frames.close()
        self.connection.close()

    async def _readable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self.connection, partial(resolve, ready))
        try:
            await ready
        finally:
            self._loop.remove_reader(self.connection)
