"""Builds the gateway of one run from its settings: who asks, who decides, who relays."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from approvals import ApprovalService, Config, MemoryStore, Scope, SystemClock
from netproxy.app.approver import Asker, ServiceApprover
from netproxy.app.fencing import home_folder
from netproxy.app.file_watch import MISSING, FileWatch, source_states
from netproxy.app.own_addresses import host_addresses
from netproxy.app.places import state_home
from netproxy.app.reload import Reloader
from netproxy.app.reread import Held, Reread
from netproxy.app.settings import MANAGED_FILE, Ask
from netproxy.app.supervisor import Denial
from netproxy.app.trust import TrustStore
from netproxy.config import Limits
from netproxy.connection.gate import Gate
from netproxy.policy.engine import Host
from netproxy.policy.origin import Layer
from netproxy.transport.dialer import HappyEyeballs
from netproxy.transport.readiness import Readiness
from netproxy.transport.resolver import SystemResolver
from netproxy.transport.server import ListenerKind, ProxyServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from approvals.ports import Reviewer, Screen
    from netproxy.app.reception import Run
    from netproxy.app.settings import Settings
    from netproxy.model import Decision, Request
    from sandbox.process import Listeners
    from sandbox.token import CancellationToken


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


@asynccontextmanager
async def gateway(
    run: Run,
    listeners: Listeners,
    *,
    screen: Screen,
    environ: Mapping[str, str],
    report: Callable[[str], None],
) -> AsyncIterator[ProxyServer]:
    """Serve the run's listeners until the block ends; then every connection is closed."""
    service = _service(run, screen, environ)
    reloader = _reloader(run, partial(_own_host, run, listeners), environ)
    async with service:
        server = _server(run, ServiceApprover(service, _asker(run)), report)
        run.policy.on_swap = server.judge_again
        try:
            # It has looked once when it is entered: who is served meets what the files say now.
            async with reloader:
                server.serve(listeners.http, ListenerKind.HTTP)
                server.serve(listeners.socks, ListenerKind.SOCKS5)
                yield server
        finally:
            service.end_run(run.execution_id)
            await server.aclose()
            for notice in reloader.notices():
                report(notice)


def _reloader(run: Run, own_host: Callable[[], Host], environ: Mapping[str, str]) -> Reloader:
    policy = run.policy.current = replace(run.policy.current, host=own_host())
    # A managed file that appears is honoured; any other must have been there from the start: the
    # command may be able to make one.
    states = {MANAGED_FILE: MISSING, **source_states(run.settings.sources)}
    trust = TrustStore(state_home(environ, home_folder(environ))).path
    beside = {trust} if any(s.layer is Layer.PROJECT for s in run.settings.sources) else set()
    states.update(FileWatch(beside).look())
    held = Held(settings=run.settings, policy=policy, digest=run.digest, states=states)
    reread = Reread(FileWatch(states, pinned=run.pinned), run.load, own_host, beside=beside)
    return Reloader(reread, held, run.policy, audit=run.trail, wanted=run.reload_wanted)


def _own_host(run: Run, listeners: Listeners) -> Host:
    """What is this host's own. Listeners of a sandbox are in its network, not in ours."""
    own = (listeners.http, listeners.socks) if run.settings.no_sandbox else ()
    return Host(
        addresses=host_addresses(),
        listeners=frozenset(listener.getsockname() for listener in own),
    )


def _service(run: Run, screen: Screen, environ: Mapping[str, str]) -> ApprovalService:
    return ApprovalService(
        reviewers=_reviewers(run.settings, screen, run.user, environ),
        sink=run.trail,
        clock=SystemClock(),
        store=MemoryStore(),
        config=Config(
            hold_seconds=run.settings.hold_seconds,
            widest_scope=Scope(run.settings.max_scope or Scope.SESSION),
            grant_seconds=run.settings.max_grant_seconds,
        ),
    )


def _asker(run: Run) -> Asker:
    return Asker(
        session=run.session_id,
        run=run.execution_id,
        command=run.command,
        directory=run.directory,
        on_denial=run.settings.spec.on_denial,
    )


def _server(run: Run, approver: ServiceApprover, report: Callable[[str], None]) -> ProxyServer:
    settings = run.settings
    limits = Limits(resolve_seconds=settings.resolve_seconds)
    readiness = Readiness(asyncio.get_running_loop(), report=report)
    gate = Gate(
        policy=run.policy,
        cache=approver,
        approver=approver,
        audit=run.trail,
        token=RunToken(run.token),
    )
    return ProxyServer(
        gate=gate,
        policy=run.policy,
        resolver=SystemResolver(
            hosts=settings.resolver_hosts, timeout_seconds=limits.resolve_seconds
        ),
        dialer=HappyEyeballs(readiness, limits),
        audit=run.trail,
        limits=limits,
        readiness=readiness,
        report=report,
    )


def _reviewers(
    settings: Settings, screen: Screen, user: str, environ: Mapping[str, str]
) -> tuple[Reviewer, ...]:
    if settings.ask is Ask.NEVER:
        return ()
    from approvals.config import TerminalConfig
    from approvals.reviewers.terminal import TerminalReviewer

    reviewer = TerminalReviewer(
        reviewer=user,
        screen=screen,
        clock=SystemClock(),
        config=TerminalConfig(),
        environment=environ,
    )
    return (reviewer,)
