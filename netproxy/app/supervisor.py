"""Watches one command until it ends, is denied, or runs out of time, and passes signals to it.

The command must not notice us: signals go to its process group, its stops stop us as well (so that
the shell's job control works), and its status is ours. What a status means: design section 7.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netproxy.app.hang_up import HangUp
from netproxy.model import CloseReason
from otel.events import RunCancelled
from sandbox.command import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.model import Decision, Destination
    from netproxy.ports import AuditSink
    from sandbox.command import Command
    from sandbox.model import Ending
    from sandbox.token import CancellationToken

EXIT_DENIED = os.EX_NOPERM  # 77
EXIT_TIMED_OUT = 124  # as timeout(1)
_TIMEOUT = "timeout"  # as a cause and as a reason in the records

# What a person or a service manager sends; the rest keeps its meaning for us (SIGCHLD, SIGPIPE).
_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# Terminal emulators (xterm, VTE) send SIGHUP first and close the terminal a moment later.
_HANG_UP_SECONDS = (0.05, 0.25, 1.0)
_TERMINAL_STOPS = (signal.SIGTTIN, signal.SIGTTOU)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """The refusal that cancelled a run."""

    destination: Destination
    decision: Decision
    connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run went, for the exit status and the closing line."""

    status: int
    ending: Ending | None  # None: it was stopped before its own status was known
    denial: Denial | None = None
    timed_out: bool = False

    @property
    def cause(self) -> str | None:
        """What ended the run early: the refused connection, or time."""
        if self.denial is not None:
            return self.denial.connection_id
        return _TIMEOUT if self.timed_out else None


class Supervisor:
    """Owns a running command until `watch` returned; then nothing of it is left."""

    def __init__(  # noqa: PLR0913 what one run has to do with
        self,
        command: Command,
        token: CancellationToken[Denial],
        audit: AuditSink,
        *,
        timeout_seconds: float | None,
        close_connections: Callable[[CloseReason], None],
        request_reload: Callable[[], None],
    ) -> None:
        self._command = command
        self._token = token
        self._audit = audit
        self._timeout_seconds = timeout_seconds
        self._close_connections = close_connections
        self._request_reload = request_reload
        self._hang_up = HangUp()
        self._looks: list[asyncio.TimerHandle] = []
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> Outcome:
        """Wait for the first of end, denial and time-out. Kills and reaps whatever is left."""
        cancelled = self._loop.create_future()
        self._token.on_cancel(lambda _: self._cancel(cancelled))
        self._command.on_stop = self._stopped
        self._take_signals()
        try:
            await asyncio.wait(
                {self._command.ended, cancelled},
                timeout=self._timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            return await self._finish()
        finally:
            self._give_signals_back()

    def _cancel(self, cancelled: asyncio.Future[None]) -> None:
        """Before the refusal is answered: a command that is to end has no last word about it."""
        self._command.terminate()
        resolve(cancelled)

    async def _finish(self) -> Outcome:
        denial = self._token.cause
        if denial is not None:
            reason = str(denial.decision.reason)
            await self._stop(denial.connection_id, reason)
            return Outcome(status=EXIT_DENIED, ending=None, denial=denial)
        if self._command.ended.done():
            ending = self._command.ended.result()
            self._close_connections(CloseReason.RUN_ENDED)
            await self._command.finish(kill=False)
            return Outcome(status=ending.status, ending=ending)
        self._command.terminate()
        await self._stop(_TIMEOUT, _TIMEOUT)
        return Outcome(status=EXIT_TIMED_OUT, ending=None, timed_out=True)

    async def _stop(self, cause: str, reason: str) -> None:
        """Connections first: nothing more may pass. Records wait until the command is gone."""
        phases = ["requested"]
        self._close_connections(CloseReason.RUN_CANCELLED)
        await self._command.end(phases.append)
        await self._command.finish(kill=True)
        for phase in phases:
            self._audit.record(RunCancelled(phase=phase, cause=cause, reason=reason))

    def _take_signals(self) -> None:
        for number in _FORWARDED:
            self._loop.add_signal_handler(number, self._command.signal, number)
        self._loop.add_signal_handler(signal.SIGTSTP, self._command.signal, signal.SIGTSTP)
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        if self._command.relay is not None:
            self._loop.add_signal_handler(signal.SIGWINCH, self._command.relay.resize)

    def _give_signals_back(self) -> None:
        for number in (*_FORWARDED, signal.SIGTSTP, signal.SIGHUP, signal.SIGWINCH):
            self._loop.remove_signal_handler(number)
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
            self._loop.call_later(seconds, self._passed_on) for seconds in _HANG_UP_SECONDS
        ]

    def _passed_on(self) -> bool:
        if not self._hang_up.has_come():
            return False
        self._command.signal(signal.SIGHUP)
        return True

    def _stopped(self, number: int) -> None:
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
        self._command.go_on(foreground=relay is not None and relay.is_foreground())

    def _stop_ourselves(self, number: int) -> None:
        """Returns when somebody continued us.

        A stop from the terminal stops the whole job, as the terminal would; SIGSTOP, or any stop of
        a command that has no terminal, was meant for one process.
        """
        self._loop.remove_signal_handler(signal.SIGTSTP)
        if number == signal.SIGSTOP or self._command.relay is None:
            os.kill(os.getpid(), number)
        else:
            os.killpg(os.getpgrp(), number)
        self._loop.add_signal_handler(signal.SIGTSTP, self._command.signal, signal.SIGTSTP)
