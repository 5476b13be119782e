"""Watches one command until it ends, is denied, or runs out of time.

Its status is ours (what a status means: design section 7). What is sent to us meanwhile is passed
on by `netproxy.app.own_signals`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol

from netproxy.model import CloseReason
from otel.events import RunCancelled
from otel.values import dataclass
from sandbox.command import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.model import Decision, Destination, Request
    from netproxy.ports import AuditSink
    from sandbox.model import Ending
    from sandbox.token import CancellationToken

EXIT_DENIED = os.EX_NOPERM  # 77
EXIT_TIMED_OUT = 124  # as timeout(1)
_TIMEOUT = "timeout"  # as a cause and as a reason in the records


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """The refusal that cancelled a run."""

    destination: Destination
    decision: Decision
    connection_id: str


class RunToken:
    """Fills `netproxy.ports.Token` with the sandbox's own token."""

    def __init__(self, token: CancellationToken[Denial]) -> None:
        self._token = token

    @property
    def is_cancelled(self) -> bool:
        """Whether the run is being ended."""
        return self._token.is_cancelled

    def cancel(self, request: Request, decision: Decision) -> None:
        """End the run for this refusal, unless an earlier one did."""
        self._token.cancel(
            Denial(
                destination=request.destination,
                decision=decision,
                connection_id=request.connection_id,
            )
        )


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


class Supervised(Protocol):
    """A command that runs: this process's own (`sandbox.command`), or another launcher's."""

    ended: asyncio.Future[Ending]

    def terminate(self) -> None:
        """SIGTERM to its process group, at once."""

    async def end(self, on_phase: Callable[[str], None]) -> None:
        """After `terminate`: a grace, then the end of everything inside."""

    async def finish(self, *, kill: bool) -> None:
        """Leave nothing of it. Call it once."""


class Supervisor:
    """Owns a running command until `watch` returned; then nothing of it is left."""

    def __init__(
        self,
        command: Supervised,
        token: CancellationToken[Denial],
        audit: AuditSink,
        *,
        timeout_seconds: float | None,
        close_connections: Callable[[CloseReason], None],
    ) -> None:
        self._command = command
        self._token = token
        self._audit = audit
        self._timeout_seconds = timeout_seconds
        self._close_connections = close_connections
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> Outcome:
        """Wait for the first of end, denial and time-out. Kills and reaps whatever is left."""
        cancelled = self._loop.create_future()
        self._token.on_cancel(lambda _: self._cancel(cancelled))
        await asyncio.wait(
            {self._command.ended, cancelled},
            timeout=self._timeout_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        return await self._finish()

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
