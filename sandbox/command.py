"""A command that runs: signals to it, reports of its stops and end, and ending all it started."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sandbox.config import GRACE_SECONDS, REAP_SECONDS
from sandbox.errors import LaunchFailed
from sandbox.model import Ending, Signalled
from sandbox.reports import Reports, Stopped

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from sandbox.process import Fence
    from sandbox.terminal import TerminalRelay

_MESSAGE_BYTES = 64


class Command:
    """A command that runs. `ended` is done when its own process is; others may live on inside."""

    def __init__(
        self,
        fence: Fence,
        control: socket.socket,
        pid: int,
        relay: TerminalRelay | None,
    ) -> None:
        self._fence = fence
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._reports = Reports()
        self.pid = pid  # of the command's process group's leader, as this host numbers it
        self.relay = relay
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self.on_stop: Callable[[int], None] = lambda _: None
        self._loop.add_reader(control, self._reported)
        self._process_end = os.pidfd_open(fence.pid)
        self._loop.add_reader(self._process_end, self._lost)

    def _reported(self) -> None:
        try:
            message = self._control.recv(_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:  # the monitor is gone, or pretends to be: nobody would report the end
            self._loop.remove_reader(self._control)
            self._fence.kill()
            return
        match self._reports.read(message):
            case None:
                pass
            case Stopped(signal=number):
                self.on_stop(number)
            case ending if not self.ended.done():
                self.ended.set_result(ending)

    def _lost(self) -> None:
        """The whole sandbox ended without a report: something killed it from outside."""
        self._loop.remove_reader(self._process_end)
        if not self.ended.done():
            self.ended.set_result(Signalled(signal=signal.SIGKILL, unreported=True))

    def signal(self, number: int) -> None:
        """To the command's own process group, as a terminal would."""
        if self.ended.done():
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def go_on(self, *, foreground: bool) -> None:
        """After a stop."""
        with suppress(OSError):
            self._control.send(b"g" if foreground else b"b")

    def terminate(self) -> None:
        """SIGTERM to the command's group. Done when this returns: nothing is waited for."""
        self.signal(signal.SIGTERM)
        # A stopped command can't handle SIGTERM; whoever is refused may not sleep through it.
        self.signal(signal.SIGCONT)

    async def end(self, on_phase: Callable[[str], None]) -> None:
        """After `terminate`: a grace, then the end of everything inside."""
        on_phase("terminated")
        await asyncio.wait([self.ended], timeout=GRACE_SECONDS)
        self._kill_everything()
        on_phase("killed")

    def _kill_everything(self) -> None:
        if self._fence.init is None:
            from sandbox.tree import kill_descendants

            kill_descendants(self._fence.pid)
        self._fence.kill()

    async def finish(self, *, kill: bool) -> None:
        """Drain and return the terminal, then end the namespace and reap it. Call it once."""
        self._loop.remove_reader(self._control)
        self._loop.remove_reader(self._process_end)
        if self.relay is not None:
            self.relay.close()
        if self._fence.init is None and not kill:
            with suppress(OSError):  # the monitor waits for this; what the command left goes on
                self._control.send(b"+")
        else:
            self._kill_everything()
        await self._gone()
        os.close(self._process_end)
        self._fence.abandon()

    async def _gone(self) -> None:
        gone = self._loop.create_future()
        self._loop.add_reader(self._process_end, partial(resolve, gone))
        try:
            await asyncio.wait_for(gone, REAP_SECONDS)
        except TimeoutError:
            if not has_ended(self._process_end):
                raise LaunchFailed(f"process {self._fence.pid} can't be ended") from None
        finally:
            self._loop.remove_reader(self._process_end)


def resolve(future: asyncio.Future[None]) -> None:
    """Complete a wait from a readiness callback, which may come twice."""
    if not future.done():
        future.set_result(None)


def has_ended(process_end: int) -> bool:
    """Whether the process of this pidfd is gone, asked of the kernel.

    Where a hundred runs share two cores a turn of our own loop may take longer than the wait: then
    time is up though the end was there to be seen.
    """
    poll = select.poll()
    poll.register(process_end, select.POLLIN)
    return bool(poll.poll(0))
