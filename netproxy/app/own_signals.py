"""What is sent to `netproxy run` is meant for its command; the command's stops are ours."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from netproxy.app.hang_up import FORWARDED, LOOK_AGAIN_SECONDS, HangUp
from sandbox.linux.wake_up import awake_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sandbox.command import Command
    from sandbox.process import Fence

_TERMINAL_STOPS = (signal.SIGTTIN, signal.SIGTTOU)


class OwnSignals:
    """Passes this process's signals to its command as long as the block lasts.

    The command must not notice us: signals go to its process group, and its stops stop us as well,
    so that the shell's job control works. Enter the block before the command is there, and `take`
    it then: what came meanwhile is passed on as soon as the loop goes on.
    """

    _command: Command

    def __init__(self, request_reload: Callable[[], None], *, ends_at: float | None = None) -> None:
        """Make it in a running loop. `ends_at` is not slept through: somebody else ends it then.

        It is a time of `time.monotonic`.
        """
        self._request_reload = request_reload
        self._hang_up = HangUp()
        self._looks: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()
        self._ends_at = ends_at

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*FORWARDED, signal.SIGHUP)}
        for number in FORWARDED:
            self._loop.add_signal_handler(number, self._sent, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        return self

    def take(self, command: Command) -> None:
        """Pass them to this one. Before the loop goes on."""
        self._command = command
        if command.relay is not None:
            self._loop.add_signal_handler(signal.SIGWINCH, command.relay.resize)

    def _sent(self, number: int) -> None:
        self._command.signal(number)

    def __exit__(self, *_: object) -> None:
        for number in (*FORWARDED, signal.SIGHUP, signal.SIGWINCH):
            self._loop.remove_signal_handler(number)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for look in self._looks:
            look.cancel()

    def _hung_up(self) -> None:
        """A hang-up is the command's; any other SIGHUP asks for a reload, which never harms."""
        if self._passed_on():
            return
        self._request_reload()
        for look in self._looks:
            look.cancel()
        self._looks = [
            self._loop.call_later(seconds, self._passed_on) for seconds in LOOK_AGAIN_SECONDS
        ]

    def _passed_on(self) -> bool:
        if not self._hang_up.has_come():
            return False
        self._command.signal(signal.SIGHUP)
        return True

    def stopped(self, number: int) -> None:
        """The command stopped: so do we, unless it only waits for the terminal that we have."""
        relay = self._command.relay
        if relay is not None:
            if number in _TERMINAL_STOPS and relay.is_foreground():
                relay.start(foreground=True)
                self._command.go_on(foreground=True)
                return
            relay.suspend()
        self._stop_ourselves(number)
        if relay is not None:
            relay.resume()
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            return  # it is ended in a moment, and not continued for that
        self._command.go_on(foreground=relay is not None and relay.is_foreground())

    def _stop_ourselves(self, number: int) -> None:
        """Returns when somebody continued us, or the run's time is up.

        A stop from the terminal stops the whole job, as the terminal would; SIGSTOP, or any stop of
        a command that has no terminal, was meant for one process.
        """
        self._loop.remove_signal_handler(signal.SIGTSTP)
        with awake_at(self._ends_at):
            if number == signal.SIGSTOP or self._command.relay is None:
                os.kill(os.getpid(), number)
            else:
                os.killpg(os.getpgrp(), number)
        self._loop.add_signal_handler(signal.SIGTSTP, self._sent, signal.SIGTSTP)


@asynccontextmanager
async def released(
    fence: Fence, request_reload: Callable[[], None], *, ends_at: float | None
) -> AsyncIterator[tuple[Command, OwnSignals]]:
    """Let the command run. From its first moment on what is sent to us is the command's."""
    with OwnSignals(request_reload, ends_at=ends_at) as signals:
        command = await fence.release()
        signals.take(command)
        yield command, signals
