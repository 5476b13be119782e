"""A command that a launcher of ours started and reaps elsewhere, and that is ended from here.

The launcher hands over what that takes: a handle (pidfd) of the init of the command's namespace,
and the command's process group. So it needs no help to end it, not even to be awake.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sandbox.command import has_ended, resolve
from sandbox.config import GRACE_SECONDS, REAP_SECONDS
from sandbox.errors import LaunchFailed
from sandbox.model import Ending, Signalled

if TYPE_CHECKING:
    from collections.abc import Callable


class RemoteCommand:
    """Make it in a running loop. `ended` is done when the command is, or its whole namespace."""

    def __init__(self, init: int) -> None:
        """`init`: a pidfd, closed by `finish`."""
        self._init: int | None = init
        self.is_orphan = False  # its launcher was lost before it had ended
        self._pid: int | None = None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(init, self._lost)

    def began(self, pid: int) -> None:
        """Say which process group is the command's."""
        self._pid = pid

    def reported(self, ending: Ending) -> None:
        """Say how it ended; only the first word counts."""
        if not self.ended.done():
            self.ended.set_result(ending)

    def terminate(self) -> None:
        """SIGTERM to the command's group. Done when this returns: nothing is waited for."""
        if self._pid is None or self.ended.done():
            return
        # A stopped command can't handle SIGTERM; whoever is refused may not sleep through it.
        for number in (signal.SIGTERM, signal.SIGCONT):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    async def end(self, on_phase: Callable[[str], None]) -> None:
        """After `terminate`: a grace, then the end of everything inside."""
        on_phase("terminated")
        await asyncio.wait([self.ended], timeout=GRACE_SECONDS)
        self._kill()
        on_phase("killed")

    async def finish(self, *, kill: bool) -> None:  # noqa: ARG002  # nothing outlives a namespace
        """End the namespace, and return when all in it is gone."""
        if self._init is None:
            return
        self._kill()
        try:
            await asyncio.wait_for(asyncio.shield(self._gone), REAP_SECONDS)
        except TimeoutError:
            if not has_ended(self._init):
                raise LaunchFailed("what a launcher started can't be ended") from None
        finally:
            self._loop.remove_reader(self._init)
            os.close(self._init)
            self._init = None

    def _kill(self) -> None:
        assert self._init is not None, "it has not been finished"
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._init, signal.SIGKILL)

    def _lost(self) -> None:
        """Everything inside is gone; if nobody said how, then something killed it."""
        assert self._init is not None, "nothing is heard after the end"
        self._loop.remove_reader(self._init)
        resolve(self._gone)
        # What the launcher has to say of it is on its way.
        ending = Signalled(signal=signal.SIGKILL.value, unreported=True)
        self._loop.call_later(GRACE_SECONDS, partial(self.reported, ending))
