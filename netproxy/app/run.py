"""One `netproxy run`, from settings to exit status, in the order that safety needs.

Journal, policy, fence, listeners; then the event loop; only then the command, and the gateway when
somebody may need it. The helper that makes the listeners forks, so nothing before it may start a
thread. Whatever fails before the command runs leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from netproxy.app.advice import advice
from netproxy.app.blueprint import draw
from netproxy.app.built import built
from netproxy.app.called_off import held_back
from netproxy.app.closing import closing_line, status_of
from netproxy.app.control_socket import control_folder, control_of
from netproxy.app.exposing import exposed_ports
from netproxy.app.file_rules import FolderMissing
from netproxy.app.garbage import collect_seldom
from netproxy.app.home import home_of
from netproxy.app.inbox import open_inbox
from netproxy.app.listening import ListenRefused
from netproxy.app.os_errors import in_words
from netproxy.app.proving import go_on_only_if_held
from netproxy.app.quiet import RunLog, telemetry_of
from netproxy.app.screen import RelayScreen
from netproxy.app.session_id import session_id_of
from netproxy.app.trail import exporting, open_journal, record_start, waiting_for_sinks
from netproxy.app.unix_sockets import pinned_sockets, warnings
from netproxy.app.user import reviewer_name
from otel import (
    AuditError,
    AuditTrail,
    AuditUnavailable,
    Journal,
    Value,
    new_id,
    visible,
)
from otel.events import (
    GatewayStopped,
    PolicyLoaded,
    RunExited,
    SessionEnded,
    SessionStarted,
)
from otel.values import dataclass, replace
from sandbox.errors import FenceUnavailable, PlanRefused, SandboxError
from sandbox.launch import listen_on_host
from sandbox.limits import refuse_unenforceable
from sandbox.linux.wake_up import awake_at, time_after
from sandbox.process import Fence
from sandbox.streams import (
    inspect_streams,
    is_terminal,
    refuse_ways_out,
    starts_in_foreground,
)
from sandbox.token import CancellationToken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from netproxy.app.blueprint import Blueprint
    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.inbox import OpenInbox
    from netproxy.app.reception import Run
    from netproxy.app.rule_file import Load
    from netproxy.app.sandbox_settings import SandboxSettings
    from netproxy.app.settings import Settings
    from netproxy.app.supervisor import Denial, Outcome
    from netproxy.policy.engine import Policy
    from netproxy.transport.server import ProxyServer
    from otel import Evidence
    from otel.events import Event
    from sandbox.launch import ExposedPort, Listeners

EXIT_OURS = 125
# A collector that is there has the first records within a fraction of a second.
_EXPORT_SECONDS = 3.0
_NO_SANDBOX = (
    "warning: --no-sandbox: nothing keeps the command from reaching the network without the proxy, "
    "or from your files"
)


def run(settings: Settings, environ: Mapping[str, str], load: Load) -> int:
    """Run the command; return what to exit with. Prints at most a warning and closing lines.

    `load` reads the settings anew when their files change.
    """
    log = RunLog(settings.telemetry, say)
    try:
        return _work(settings, environ, load, log)
    except (FolderMissing, PlanRefused) as refused:
        return _fail(log, str(refused), os.EX_USAGE)
    except FenceUnavailable as unavailable:
        return _fail(log, f"can't build the sandbox: {unavailable}", EXIT_OURS)
    except AuditError as unavailable:
        return _fail(log, str(unavailable), EXIT_OURS)
    except (ListenRefused, SandboxError, OSError) as failed:
        return _fail(log, f"the command could not be run: {in_words(failed)}", EXIT_OURS)


def _work(settings: Settings, environ: Mapping[str, str], load: Load, log: RunLog) -> int:
    _refuse_unenforceable(settings.sandbox)
    if settings.sandbox.dry_run:
        from netproxy.app.dry_run import show

        return show(settings, environ)
    home = home_of(environ)
    # Before the plan: the folder that it lies in is hidden from the command.
    with (
        control_of(settings.ask, environ, home, log) as control,
        open_inbox(settings, reviewer_name(), log, on_terminal=is_terminal(2)) as inbox,
        exposed_ports(settings.sandbox.services.exposed) as exposed,
        pinned_sockets(settings.sandbox.services.unix, control_folder(environ, home)) as places,
    ):
        doors = Doors(exposed=exposed, places=places)
        return _Execution(settings, environ, load, log, control, inbox, doors).perform()


def _refuse_unenforceable(sandbox: SandboxSettings) -> None:
    """Of a run that is only to be shown (--dry-run), too."""
    refuse_unenforceable(sandbox.limits, is_root=os.getuid() == 0, is_fenced=not sandbox.no_sandbox)
    if not sandbox.no_sandbox:
        refuse_ways_out()


def say(text: str) -> None:
    """One line on stderr. Whatever the command had a hand in is made visible."""
    sys.stderr.write(f"netproxy run: {visible(text.removeprefix('netproxy: '))}\n")
    sys.stderr.flush()


def _fail(log: RunLog, text: str, status: int) -> int:
    log.failed(text)
    return status


def _record(trail: AuditTrail, *events: Event) -> None:
    """A signal waits until all of them are written."""
    with held_back():
        for event in events:
            trail.record(event)


@dataclass(frozen=True, slots=True)
class Doors:
    """What of this host was opened for the run before it began."""

    exposed: tuple[ExposedPort, ...]
    places: Mapping[str, int]


class _Execution:
    """The steps of one run, and what they leave for the next ones."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a run has of its surroundings
        self,
        settings: Settings,
        environ: Mapping[str, str],
        load: Load,
        say: RunLog,
        control: ControlSocket | None,
        inbox: OpenInbox | None,
        doors: Doors,
    ) -> None:
        self._control, self._inbox, self._doors = control, inbox, doors
        self._settings = settings
        self._say = say
        self._environ = environ
        self._load = load
        self._began = time.monotonic()
        self._session_id = session_id_of(settings, say)
        self._execution_id = new_id("r")
        self._streams = inspect_streams()
        self._token: CancellationToken[Denial] = CancellationToken()
        self._telemetry = telemetry_of(settings.telemetry, environ)
        ids = {"session.id": self._session_id, "execution.id": self._execution_id}
        say.ids = {**ids, **self._telemetry.ids}
        self._notices: list[str] = []
        self._first_seq = 0
        self._mid_line = False

    def perform(self) -> int:
        """Everything. Raises what `run` turns into a line."""
        settings = self._settings
        for line in (*advice(settings, now=time.time()), *warnings(settings.sandbox.services.unix)):
            self._say(f"warning: {line}")
        blueprint = self._blueprint()
        journal, evidence = open_journal(
            settings,
            warn=lambda text: self._say(f"warning: {text}"),
            kind=self._telemetry.kind_of(Journal),
        )
        self._first_seq = journal.last_seq + 1
        try:
            outcome, status = self._run_recorded(blueprint, journal, evidence)
            self._say_closing(outcome)
            self._telemetry.close(self._exited(outcome.status, outcome.cause).attributes())
            return status
        finally:
            with held_back():
                journal.close()

    def _blueprint(self) -> Blueprint:
        """What the command will see, and who enforces it."""
        sandbox = self._settings.sandbox
        if sandbox.no_sandbox:
            from sandbox.tree import become_subreaper

            self._say(_NO_SANDBOX)
            become_subreaper()
        blueprint = draw(self._settings, self._environ)
        for note in blueprint.plan.notes if blueprint.plan is not None else ():
            self._say(f"warning: {note}")
        return blueprint

    def _trail(self, journal: Journal) -> AuditTrail:
        common: dict[str, Value] = {
            "session.id": self._session_id,
            "execution.id": self._execution_id,
            "sandbox.enforced": not self._settings.sandbox.no_sandbox,
            **self._telemetry.ids,
        }
        trail = AuditTrail(journal, common, self._settings.audit_mode)
        self._telemetry.watch(trail, journal, self._settings.audit_directory)
        return trail

    def _run_recorded(
        self, blueprint: Blueprint, journal: Journal, evidence: Evidence
    ) -> tuple[Outcome, int]:
        """What began on record ends there, whatever comes in between. With the exit status."""
        trail = self._trail(journal)
        is_open = False
        try:
            with held_back():
                record_start(trail, journal, evidence)
                trail.record(SessionStarted(session_name=self._settings.session_name))
                is_open = True
            outcome = self._run_fenced(blueprint, trail, journal)
            self._notices += blueprint.afterwards()
            if time.monotonic() - self._began > _EXPORT_SECONDS:
                self._notices += waiting_for_sinks(self._settings, journal, self._first_seq)
            with held_back():
                status = self._record_closing(trail, outcome)
                is_open = False
        except BaseException as error:
            if is_open:
                with suppress(AuditUnavailable):
                    self._record_end(trail, self._exited(status_of(error)))
            raise
        return outcome, status

    def _record_end(self, trail: AuditTrail, exited: RunExited) -> None:
        ended = SessionEnded(session_name=self._settings.session_name)
        _record(trail, exited, ended, GatewayStopped(reason="run_ended"))

    def _record_closing(self, trail: AuditTrail, outcome: Outcome) -> int:
        """The last records; a run whose end is not on record did not end well."""
        try:
            self._record_end(trail, self._exited(outcome.status, outcome.cause))
        except AuditUnavailable as lost:
            self._notices.append(
                f"the command ended with {outcome.status}, which could not be recorded: {lost}"
            )
            return EXIT_OURS
        return outcome.status

    def _run_fenced(self, blueprint: Blueprint, trail: AuditTrail, journal: Journal) -> Outcome:
        """Build the fence and the listeners, then hand over to the event loop."""
        listeners = listen_on_host() if blueprint.plan is None else None
        launch = blueprint.launch(
            self._streams,
            self._execution_id,
            listeners=listeners,
            added=self._telemetry.environment,
        )
        with built(lambda: Fence(launch, bwrap=blueprint.bwrap)) as fence:
            listeners = listeners or replace(fence.listeners(), exposed=self._doors.exposed)
            # The monitor starts inside meanwhile, and waits.

            # Now the probe goes on inside, while the rest is imported.
            listeners = fence.complete(listeners)

            import uvloop

            with held_back():
                trail.start_syncing()
            policy = self._settings.policy(now=time.time())
            run = self._run_of(policy, blueprint, trail)
            rules = policy.rule_count
            _record(trail, PolicyLoaded(digest=run.digest, rules=rules, source="start"))
            proof = fence.prove(listeners)
            with held_back():
                go_on_only_if_held(proof, trail)
            _record(trail, blueprint.started(listeners))
            supervising = self._supervise(run, fence, listeners)
            return uvloop.run(exporting(supervising, self._settings, trail, journal))

    def _run_of(self, policy: Policy, blueprint: Blueprint, trail: AuditTrail) -> Run:
        import asyncio

        from netproxy.app.policy_in_force import PolicyInForce
        from netproxy.app.reception import Run

        return Run(
            settings=self._settings,
            load=self._load,
            pinned=blueprint.pinned(),
            policy=PolicyInForce(policy),
            digest=policy.digest,
            reload_wanted=asyncio.Event(),
            trail=trail,
            token=self._token,
            session_id=self._session_id,
            execution_id=self._execution_id,
            user=reviewer_name(),
            command=shlex.join(self._settings.command),
            directory=blueprint.directory,
        )

    async def _supervise(self, run: Run, fence: Fence, listeners: Listeners) -> Outcome:
        """Whoever stops us, the command too: nobody outlives its time by that."""
        with awake_at(ends_at := time_after(self._settings.timeout_seconds)):
            return await self._supervise_until(ends_at, run, fence, listeners)

    async def _supervise_until(
        self, ends_at: float | None, run: Run, fence: Fence, listeners: Listeners
    ) -> Outcome:
        from netproxy.app.own_signals import released
        from netproxy.app.reception import Reception
        from netproxy.app.supervisor import Supervisor

        screen = RelayScreen()
        reload = run.reload_wanted.set
        async with released(fence, reload, ends_at=ends_at) as (command, signals):
            listeners = replace(listeners, calls=fence.calls, places=self._doors.places)
            desk = Reception(listeners, lambda: self._gateway(run, listeners, screen))
            async with desk as reception:
                screen.relay = command.relay
                if command.relay is not None:
                    command.relay.start(foreground=starts_in_foreground(self._streams))
                command.on_stop = signals.stopped
                supervisor = Supervisor(
                    command,
                    self._token,
                    run.trail,
                    timeout_seconds=None if ends_at is None else ends_at - time.monotonic(),
                    close_connections=reception.close_all,
                )
                outcome = await supervisor.watch()
        self._mid_line = command.relay is not None and command.relay.is_mid_line
        return outcome

    def _gateway(
        self, run: Run, listeners: Listeners, screen: RelayScreen
    ) -> AbstractAsyncContextManager[ProxyServer]:
        from netproxy.app.wiring import gateway
        from netproxy.transport.capacity import Crowd

        collect_seldom()
        crowd = Crowd()
        self._telemetry.open(lambda: crowd.count, self._notices.append)
        return gateway(
            run,
            listeners,
            screen=screen,
            environ=self._environ,
            report=self._notices.append,
            crowd=crowd,
            control=self._control,
            inbox=self._inbox,
        )

    def _exited(self, status: int, cause: str | None = None) -> RunExited:
        duration_ms = round((time.monotonic() - self._began) * 1000)
        return RunExited(exit_code=status, duration_ms=duration_ms, cause=cause)

    def _say_closing(self, outcome: Outcome) -> None:
        line = closing_line(
            outcome,
            command=self._settings.command[0],
            timeout_seconds=self._settings.timeout_seconds,
            limits=self._settings.sandbox.limits,
        )
        lines = [*self._notices, *([line] if line is not None else [])]
        if lines and self._mid_line:  # a command that was ended may have been in the middle of one
            sys.stderr.write("\n")
        for each in lines:
            self._say(each)
