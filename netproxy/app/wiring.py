"""Builds a gateway from its settings: who asks, who decides, who relays.

`gateway` is that of one command. `netproxy serve` puts the same parts together for many sessions.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from approvals import StoreUnavailable, SystemClock
from approvals.model import GrantEnd
from approvals.presence import Presence
from netproxy.app.approval_store import store_at
from netproxy.app.approver import Asker, ServiceApprover, holds
from netproxy.app.capturing import capturing
from netproxy.app.descriptors import take_descriptors
from netproxy.app.file_watch import MISSING, FileWatch, source_states
from netproxy.app.home import home_of
from netproxy.app.kept_answers import KeptAnswers
from netproxy.app.open_runs import OpenRuns
from netproxy.app.own_addresses import host_addresses
from netproxy.app.places import config_home, state_home
from netproxy.app.reload import Reloader
from netproxy.app.reread import Held, Reread
from netproxy.app.reviewing import Room, Way, reviewed, ways_of
from netproxy.app.rule_file import RuleFile
from netproxy.app.rule_writer import RuleWriter
from netproxy.app.services import datagram_ports, names_of, serving_services
from netproxy.app.settings import MANAGED_FILE, Ask
from netproxy.app.supervisor import RunToken
from netproxy.app.surroundings import GatewaySurroundings
from netproxy.app.trust import TrustStore
from netproxy.config import Limits
from netproxy.connection.gate import Gate
from netproxy.connection.routes import RoutedJudge
from netproxy.model import ApprovalId, CloseReason
from netproxy.policy.engine import Host
from netproxy.policy.origin import Layer
from netproxy.transport.dialer import HappyEyeballs
from netproxy.transport.readiness import Readiness
from netproxy.transport.resolver import SystemResolver
from netproxy.transport.server import ListenerKind, ProxyServer
from netproxy.transport.ways import Ways
from otel.values import dataclass, replace

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from approvals import ApprovalService, Grant
    from approvals.ports import Screen
    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.inbox import OpenInbox
    from netproxy.app.reception import Run
    from netproxy.app.settings import Settings
    from netproxy.connection.fake_names import FakeNames
    from netproxy.ports import Token
    from netproxy.transport.capacity import Crowd
    from netproxy.transport.udp_ports import Ports
    from otel import AuditTrail
    from sandbox.launch import Listeners


# Why a connection ends when the yes that carried it does.
_CUT_FOR = {
    GrantEnd.REVOKED: CloseReason.REVOKED,
    GrantEnd.EXPIRED: CloseReason.GRANT_EXPIRED,
    GrantEnd.USED_UP: CloseReason.BYTE_LIMIT,
}


@asynccontextmanager
async def gateway(  # noqa: PLR0913 a run, and what it has of its surroundings
    run: Run,
    listeners: Listeners,
    *,
    screen: Screen,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    crowd: Crowd,
    ways: Callable[[Room], Sequence[Way]] = ways_of,
    control: ControlSocket | None = None,
    inbox: OpenInbox | None = None,
) -> AsyncIterator[ProxyServer]:
    """Serve the run's listeners until the block ends; then every connection is closed.

    `ways` says by which reviewers are reached.
    """
    take_descriptors()
    with written_by_turns(run.trail, report):
        room = room_of(
            run.settings, run.trail, run.user, screen, environ, report, runs=lambda: (run,)
        )
        room = replace(room, control=control, inbox=inbox)
        async with reviewed(room, ways(room)) as service:
            await _resume(run, room, service)
            shared = Shared(
                service=service,
                rules=room.rules,
                open_runs=OpenRuns(room.trails),
                readiness=Readiness(asyncio.get_running_loop(), report=report),
                crowd=crowd,
                own_listeners=addresses_of(_own_listeners(run, listeners, inbox)),
                environ=environ,
                report=report,
            )
            async with served_run(run, shared, listeners) as server:
                yield server


def _own_listeners(
    run: Run, listeners: Listeners, inbox: OpenInbox | None
) -> Iterator[socket.socket]:
    """Those on this host: listeners of a sandbox are in its network, not in ours."""
    if run.settings.sandbox.no_sandbox:
        yield from (listeners.http, listeners.socks)
    # Where reviewers answer, no client may, whatever the rules open.
    if inbox is not None:
        yield inbox.listener
    yield from (each.listener for each in listeners.exposed)


@asynccontextmanager
async def served_run(run: Run, shared: Shared, listeners: Listeners) -> AsyncIterator[ProxyServer]:
    """Serve all that a run listens on until the block ends. A denial ends its command."""
    names = names_of(run.settings.sandbox.services)
    async with data_plane(
        run,
        shared,
        token=RunToken(run.token),
        limits=limits_of(run.settings),
        ports=datagram_ports(listeners, shared.readiness),
        names=names,
    ) as server:
        server.serve(listeners.http, ListenerKind.HTTP)
        server.serve(listeners.socks, ListenerKind.SOCKS5)
        with (
            capturing(listeners.capture, server, names, run.policy, shared.readiness),
            serving_services(server, listeners, run.settings.sandbox.services),
        ):
            yield server


@contextmanager
def written_by_turns(trail: AuditTrail, report: Callable[[str], None]) -> Iterator[None]:
    """Let connections that are served in one turn of the loop share a write to the journal."""
    trail.write_by_turns(asyncio.get_running_loop(), report=report)
    try:
        yield
    finally:
        trail.write_at_once()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all runs of one process have in common."""

    service: ApprovalService
    rules: RuleWriter
    open_runs: OpenRuns
    readiness: Readiness
    crowd: Crowd
    own_listeners: frozenset[tuple[str, int]]  # so that nobody is let go round in circles
    environ: Mapping[str, str]
    report: Callable[[str], None]  # one line for whoever looks after the gateway
    tells_at_once: bool = False  # of changed settings, too: no command has the terminal


def addresses_of(listeners: Iterable[socket.socket]) -> frozenset[tuple[str, int]]:
    """Where they listen: literal and port."""
    return frozenset(listener.getsockname()[:2] for listener in listeners)


@asynccontextmanager
async def data_plane(  # noqa: PLR0913  # a run, and what its clients may use
    run: Run,
    shared: Shared,
    *,
    token: Token,
    limits: Limits,
    ports: Ports,
    names: FakeNames | None = None,
) -> AsyncIterator[ProxyServer]:
    """Make the server of one run; its policy follows the files until the block ends."""
    unmade: set[Path] = set()
    shared.open_runs.admit(run)
    rule_file = _keep_rules(run, shared, unmade)
    reloader = _reloader(run, shared, unmade)
    approver = ServiceApprover(
        shared.service,
        _asker(run, rule_file),
        is_almost_full=lambda: run.trail.is_almost_full,
        writes_rules=lambda: shared.rules.is_open(run.session_id, run.execution_id),
    )
    server = _server(run, shared, approver, token=token, limits=limits, ports=ports, names=names)
    kept = KeptAnswers(shared.service, run.session_id, run.policy, file=rule_file)

    def swapped() -> None:
        server.judge_again()
        kept.look()

    run.policy.on_swap = swapped
    cut_no_more = shared.service.on_ended(run.session_id, partial(_cut, server, approver))
    try:
        # It has looked once when it is entered: who is served meets what the files say now.
        async with reloader, kept:
            yield server
    finally:
        shared.service.end_run(run.execution_id)
        shared.rules.close(run.session_id, run.execution_id)
        if shared.open_runs.leave(run):
            shared.service.end_session(run.session_id)
        await server.aclose()
        cut_no_more()
        shared.open_runs.forget(run)
        for notice in reloader.notices():
            shared.report(notice)


def _cut(server: ProxyServer, approver: ServiceApprover, grant: Grant, end: GrantEnd) -> None:
    """End what a yes carries that ended."""
    approval_id = ApprovalId(grant.approval_id)
    approver.note_end(approval_id)
    server.close_approved(approval_id, _CUT_FOR[end])


def _keep_rules(run: Run, shared: Shared, unmade: set[Path]) -> Path:
    """Let answers for always become rules of the user's file; they hold as soon as it is read.

    Returns which one that is, links followed: another run may know it by another name.
    """
    settings = run.settings
    usual = config_home(shared.environ, home_of(shared.environ)) / "config.toml"
    path = settings.config_file or usual
    if settings.config_file is None and not any(s.path == usual for s in settings.sources):
        unmade.add(usual)

    def written(is_new: bool) -> None:  # noqa: FBT001  # what `RuleWriter` says
        if is_new:
            unmade.discard(path)
        run.reload_wanted.set()

    file = RuleFile(path, run.load, is_own=settings.config_file is None)
    shared.rules.open(run.session_id, run.execution_id, file, sink=run.trail, written=written)
    return path.resolve()


def limits_of(settings: Settings) -> Limits:
    """What one client of a run may cost."""
    return settings.limits.over(Limits(resolve_seconds=settings.resolve_seconds))


def _reloader(run: Run, shared: Shared, unmade: set[Path]) -> Reloader:
    own_host = partial(_own_host, shared.own_listeners)
    policy = run.policy.current = replace(run.policy.current, host=own_host())
    # A managed file that appears is honoured; any other must have been there from the start: the
    # command may be able to make one.
    states = {MANAGED_FILE: MISSING, **source_states(run.settings.sources)}
    trust = TrustStore(state_home(shared.environ, home_of(shared.environ))).path
    beside = {trust} if any(s.layer is Layer.PROJECT for s in run.settings.sources) else set()
    states.update(FileWatch(beside).look())
    states.update(dict.fromkeys(unmade, MISSING))
    held = Held(settings=run.settings, policy=policy, digest=run.digest, states=states)
    watch = FileWatch(states, pinned=run.pinned)
    reread = Reread(watch, run.load, own_host, beside=beside, unmade=unmade)
    return Reloader(
        reread,
        held,
        run.policy,
        audit=run.trail,
        wanted=run.reload_wanted,
        say=_teller(run, shared) if shared.tells_at_once else None,
    )


def _teller(run: Run, shared: Shared) -> Callable[[str], None]:
    """Several sessions may read one file, and each has its own to say of it."""
    name = run.settings.session_name
    return lambda text: shared.report(text if name is None else f"session {name}: {text}")


def _own_host(listeners: frozenset[tuple[str, int]]) -> Host:
    """What is this host's own."""
    return Host(addresses=host_addresses(), listeners=listeners)


async def _resume(run: Run, room: Room, service: ApprovalService) -> None:
    """Let what a named session was told hold again. Without the store it has to ask anew."""
    name = run.settings.session_name
    if name is None or not room.is_asking:
        return
    try:
        await service.resume(name)
    except StoreUnavailable as lost:
        room.report(f"the session {name} could not be resumed: {lost}")


def room_of(  # noqa: PLR0913, PLR0917  # what a gateway has of its surroundings
    settings: Settings,
    trail: AuditTrail,
    user: str,
    screen: Screen,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    runs: Callable[[], Iterable[Run]],
) -> Room:
    """What those who review are reached from, by the settings of a gateway's first session.

    `runs`: all that are served now.
    """
    clock = SystemClock()
    # Nobody who is never asked leaves anything to be kept.
    kept_at = None if settings.ask is Ask.NEVER else settings.approvals.store
    return Room(
        settings=settings,
        trail=trail,
        user=user,
        screen=screen,
        environ=environ,
        report=report,
        clock=clock,
        store=store_at(kept_at, clock),
        rules=RuleWriter(clock),
        presence=Presence(clock),
        surroundings=GatewaySurroundings(settings, trail, runs),
    )


def _asker(run: Run, rule_file: Path) -> Asker:
    return Asker(
        session=run.session_id,
        run=run.execution_id,
        command=run.command,
        directory=run.directory,
        on_denial=run.settings.spec.on_denial,
        has_command=bool(run.settings.command),
        session_name=run.settings.session_name,
        rule_file=str(rule_file),
        hold_seconds=holds(run.settings.approvals),
    )


def _server(  # noqa: PLR0913  # a run, and what all of them share
    run: Run,
    shared: Shared,
    approver: ServiceApprover,
    *,
    token: Token,
    limits: Limits,
    ports: Ports,
    names: FakeNames | None,
) -> ProxyServer:
    settings, readiness = run.settings, shared.readiness
    routes = settings.routes
    dialer = HappyEyeballs(readiness, limits)
    resolver = SystemResolver(hosts=settings.resolver_hosts, timeout_seconds=limits.resolve_seconds)
    ways = None
    if routes is not None:
        ways = Ways(routes, readiness=readiness, limits=limits, dialer=dialer, resolver=resolver)
    gate = Gate(
        policy=RoutedJudge(run.policy, routes) if routes and routes.refuses else run.policy,
        cache=approver,
        approver=approver,
        audit=run.trail,
        token=token,
        ledger=approver,
    )
    return ProxyServer(
        gate=gate,
        policy=run.policy,
        resolver=resolver,
        dialer=dialer,
        ways=ways,
        audit=run.trail,
        limits=limits,
        readiness=readiness,
        report=shared.report,
        crowd=shared.crowd,
        ports=ports,
        ledger=approver,
        names=names,
    )
