"""Serves runs that a launcher of the same user hands over: one gateway, warm, for all of them.

The launcher says what it was asked (`netproxy.app.taking` turns it into settings and a plan),
builds the sandbox, and hands over its listeners and a handle of its first process. The run is on
record before its command starts; a denial ends the command from here. ADR 30 has the messages.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shlex
import signal
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from approvals import StoreUnavailable
from netproxy.app.async_line import AsyncLine, LauncherLost
from netproxy.app.closing import closing_line
from netproxy.app.control_socket import RUNS, ControlRefused, control_folder, open_control
from netproxy.app.descent import descends_from
from netproxy.app.home import home_of
from netproxy.app.likeness import difference, peer_of
from netproxy.app.os_errors import in_words
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.proving import go_on_only_if_held
from netproxy.app.reception import Run
from netproxy.app.session_id import begins_anew
from netproxy.app.settings import Ask
from netproxy.app.supervisor import Supervisor
from netproxy.app.taking import NotTaken, considered, own_directory
from netproxy.app.wiring import served_run
from netproxy.transport.sockets import EXHAUSTED, EXHAUSTED_SECONDS
from otel import AuditError, AuditUnavailable
from otel.events import PolicyLoaded, RunExited, SessionEnded, SessionStarted
from otel.values import replace
from sandbox.errors import LaunchFailed, SandboxError
from sandbox.model import Exited, NotStarted, Signalled
from sandbox.remote import RemoteCommand
from sandbox.token import CancellationToken

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.likeness import Peer
    from netproxy.app.settings import Settings
    from netproxy.app.supervisor import Outcome
    from netproxy.app.taking import Offer
    from netproxy.app.wiring import Shared
    from otel import AuditTrail
    from sandbox.launch import Listeners
    from sandbox.proof import Proof

EXIT_OURS = 125
# A launcher says what it wants at once, and builds a sandbox in hundredths of a second.
_BUILD_SECONDS = 20.0
# For runs that begin at the same moment: a message alone has some ten.
_SPARE_FILES = 64
# As causes in the records.
_LOST = "launcher_lost"
_STOPPED = "gateway_stopped"


@contextmanager
def runs_socket(
    environ: Mapping[str, str], warn: Callable[[str], None]
) -> Iterator[ControlSocket | None]:
    """Listen for launchers as long as the block lasts; None, and a word, where that can't be."""
    try:
        opened = open_control(control_folder(environ, home_of(environ)), RUNS)
    except ControlRefused as refused:
        warn(f"warning: runs can't be handed over to this gateway: {refused}")
        yield None
        return
    with closing(opened):
        yield opened


class Takeover:
    """Takes runs over as long as the block lasts. `stop_accepting`, `finished` before its end."""

    def __init__(
        self,
        opened: ControlSocket,
        shared: Shared,
        trail: AuditTrail,
        settings: Settings,
        user: str,
    ) -> None:
        """`settings`: those of the gateway's first session."""
        self.runs: dict[str, Run] = {}
        self._launchers: set[int] = set()
        self._opened = opened
        self._shared = shared
        self._trail = trail
        self._settings = settings
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        self._thread = ThreadPoolExecutor(1, "runs", initializer=own_directory)
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_accepting()
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)
        self._thread.shutdown(wait=False)

    def is_own(self, pid: int) -> bool:
        """Whether a process is one of these runs'."""
        return any(descends_from(pid, launcher) for launcher in self._launchers)

    def stop_accepting(self) -> None:
        """Leave runs that come now to gateways of their own: nobody is found here any more."""
        if self._rest is not None:
            self._rest.cancel()
        if self._opened.listener.fileno() >= 0:
            self._loop.remove_reader(self._opened.listener)
            self._opened.close()

    async def finished(self) -> None:
        """Return when no run is left."""
        await self._idle.wait()

    def _listen(self) -> None:
        self._loop.add_reader(self._opened.listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._opened.listener.accept()
        except OSError as problem:
            if problem.errno in EXHAUSTED:
                self._loop.remove_reader(self._opened.listener)
                self._rest = self._loop.call_later(EXHAUSTED_SECONDS, self._listen)
            return
        connection.setblocking(False)
        task = self._group.create_task(self._guarded(connection))
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    async def _guarded(self, connection: socket.socket) -> None:
        """No run takes another one with it."""
        line = AsyncLine(connection)
        try:
            await self._take(line)
        except NotTaken as why:
            await line.say("own", str(why))
        except TimeoutError:
            await line.say("failed", "the command could not be run: its sandbox took too long")
        except (AuditError, SandboxError, OSError) as error:
            await line.say("failed", f"the command could not be run: {in_words(error)}")
        except Exception as error:  # noqa: BLE001  # a task's root: other runs go on
            self._shared.report(f"a run failed: {type(error).__name__}: {error}")
            await line.say("failed", "the command could not be run: its gateway failed")
        finally:
            line.close()

    async def _take(self, line: AsyncLine) -> None:
        peer = peer_of(line.connection)
        if peer.uid != os.geteuid():  # unheard: the folder is closed to all but our user
            raise NotTaken(f"user {peer.uid}")
        if _is_short_of_files(line.connection):
            raise NotTaken("too few files may be open here: ulimit -n")
        began = time.monotonic()
        async with asyncio.timeout(_BUILD_SECONDS):
            request = await line.expect("run")
            offer = await self._resumed(await self._considered(peer, request))
            order = {
                "launch": offer.launch,
                "bwrap": offer.blueprint.bwrap,
                "said": offer.said,
            }
            await line.say("build", order)
            built = await line.expect("built")
        listeners: Listeners = built["listeners"]
        proof: Proof | None = built["proof"]
        command = RemoteCommand(built["init"].descriptor)
        self._launchers.add(peer.pid)
        try:
            await self._serve(line, offer, listeners, command, proof, began)
        finally:
            self._launchers.discard(peer.pid)
            listeners.close()

    async def _considered(self, peer: Peer, request: Mapping[str, Any]) -> Offer:
        directory = request["directory"].descriptor
        try:
            if (why := difference(peer)) is not None:
                raise NotTaken(why)
            if descends_from(peer.pid, os.getpid()) or self.is_own(peer.pid):
                raise NotTaken("it is within a run of this gateway")
            consider = partial(considered, request, self._settings, self._shared.environ)
            return await self._loop.run_in_executor(self._thread, consider)
        except BrokenExecutor:
            raise NotTaken("no thread here may have a working directory of its own") from None
        finally:
            os.close(directory)

    async def _serve(  # noqa: PLR0913, PLR0917  # a run, and what it has of its launcher
        self,
        line: AsyncLine,
        offer: Offer,
        listeners: Listeners,
        command: RemoteCommand,
        proof: Proof | None,
        began: float,
    ) -> None:
        """From the first record of a run to the last."""
        run = self._run_of(offer)
        self.runs[run.execution_id] = run
        try:
            run.trail.record(SessionStarted(session_name=offer.settings.session_name))
            rules = offer.policy.rule_count
            run.trail.record(PolicyLoaded(digest=run.digest, rules=rules, source="start"))
            go_on_only_if_held(proof, run.trail)
            run.trail.record(offer.blueprint.started(listeners))
            outcome = await self._supervised(line, run, listeners, command)
        except BaseException as error:
            await command.finish(kill=True)
            with suppress(AuditUnavailable):
                _record_end(run, EXIT_OURS, _cause(error), began)
            if isinstance(error, asyncio.CancelledError):
                await line.say("failed", "stopped the command: its gateway was told to stop")
            raise
        finally:
            del self.runs[run.execution_id]
        cause = _LOST if command.is_orphan else outcome.cause
        closing = _closing(run, outcome, cause, began)
        closing["lines"] = (*offer.blueprint.afterwards(), *closing["lines"])
        await line.say("closing", closing)

    async def _resumed(self, offer: Offer) -> Offer:
        """In the session that it names, as `netproxy.app.session_id` has it."""
        name = offer.settings.session_name
        if name is None or offer.settings.ask is Ask.NEVER:
            return offer
        try:
            return replace(offer, session_id=await self._shared.service.resume(name))
        except StoreUnavailable as lost:
            return replace(offer, said=(*offer.said, begins_anew(name, lost)))

    def _run_of(self, offer: Offer) -> Run:
        settings = offer.settings
        ids = {"session.id": offer.session_id, "execution.id": offer.execution_id}
        return Run(
            settings=settings,
            load=offer.load,
            pinned=offer.pinned,
            policy=PolicyInForce(offer.policy),
            digest=offer.policy.digest,
            reload_wanted=asyncio.Event(),
            trail=self._trail.with_attributes(**ids, **{"sandbox.enforced": True}),
            token=CancellationToken(),
            session_id=offer.session_id,
            execution_id=offer.execution_id,
            user=self._user,
            command=shlex.join(settings.command),
            directory=offer.blueprint.directory,
        )

    async def _supervised(
        self, line: AsyncLine, run: Run, listeners: Listeners, command: RemoteCommand
    ) -> Outcome:
        """From the word that lets the command start to its end. Raises LauncherLost before that."""
        await line.say("go")
        async with asyncio.timeout(_BUILD_SECONDS):
            command.began(await line.expect("began"))
        # Only now, when a denial can end it, is anybody heard; who came before waits in the queue.
        async with served_run(run, self._shared, listeners) as server:
            supervisor = Supervisor(
                command,
                run.token,
                run.trail,
                timeout_seconds=run.settings.timeout_seconds,
                close_connections=server.close_all,
            )
            hearing = self._group.create_task(_hear(line, run, command))
            try:
                return await supervisor.watch()
            finally:
                hearing.cancel()


def _is_short_of_files(newest: socket.socket) -> bool:
    """Its number was the lowest that was free. A run holds some, and its connections more."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit != resource.RLIM_INFINITY and newest.fileno() >= limit - _SPARE_FILES


def _closing(run: Run, outcome: Outcome, cause: str | None, began: float) -> dict[str, Any]:
    """Write the last records; return what the launcher says and exits with."""
    settings = run.settings
    text = closing_line(
        outcome,
        command=settings.command[0],
        timeout_seconds=settings.timeout_seconds,
        limits=settings.sandbox.limits,
    )
    lines, status = [] if text is None else [text], outcome.status
    try:
        _record_end(run, status, cause, began)
    except AuditUnavailable as lost:
        lines.append(f"the command ended with {status}, which could not be recorded: {lost}")
        status = EXIT_OURS
    return {"lines": lines, "status": status}


async def _hear(line: AsyncLine, run: Run, command: RemoteCommand) -> None:
    """What a launcher has to say while its command runs. One that is gone took it along."""
    try:
        while True:
            match await line.receive():
                case ("ended", Exited() | Signalled() | NotStarted() as ending):
                    command.reported(ending)
                case ("reload", _):
                    run.reload_wanted.set()
                case _:  # it is of our own kind; what it says beyond that means nothing
                    pass
    except LaunchFailed:
        command.is_orphan = not command.ended.done()
        command.reported(Signalled(signal=signal.SIGKILL.value))


def _record_end(run: Run, status: int, cause: str | None, began: float) -> None:
    duration_ms = round((time.monotonic() - began) * 1000)
    run.trail.record(RunExited(exit_code=status, duration_ms=duration_ms, cause=cause))
    run.trail.record(SessionEnded(session_name=run.settings.session_name))


def _cause(error: BaseException) -> str | None:
    if isinstance(error, asyncio.CancelledError):
        return _STOPPED
    return _LOST if isinstance(error, LauncherLost) else None
