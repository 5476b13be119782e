"""A service while it runs: sessions, listeners, signals, and the end that lets clients finish."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from netproxy.app.admission import Admission
from netproxy.app.health import Health
from netproxy.app.listening import where
from netproxy.app.metrics_page import MetricsPage
from netproxy.app.notify import notify
from netproxy.app.open_runs import OpenRuns
from netproxy.app.outside import outside
from netproxy.app.reviewing import reviewed, ways_of
from netproxy.app.screen import RelayScreen
from netproxy.app.sessions import run_of, served
from netproxy.app.settings import Ask
from netproxy.app.takeover import Takeover, runs_socket
from netproxy.app.user import reviewer_name
from netproxy.app.wiring import Shared, addresses_of, room_of, written_by_turns
from netproxy.transport.capacity import Crowd
from netproxy.transport.readiness import Readiness
from netproxy.transport.server import ListenerKind
from otel import new_id
from otel.attributes import EXECUTION_ID, SESSION_ID
from otel.values import dataclass, replace

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping

    from netproxy.app.admission import Tokens
    from netproxy.app.control_socket import ControlSocket
    from netproxy.app.inbox import OpenInbox
    from netproxy.app.reception import Run
    from netproxy.app.sessions import Session
    from netproxy.app.telemetry import Page
    from netproxy.app.token_file import Holder
    from netproxy.transport.door import Door
    from netproxy.transport.server import ProxyServer
    from otel import AuditTrail
    from otel.oplog import OperationalLog
    from otel.tracing import Tracing

_SPOKEN = {
    ListenerKind.HTTP: "HTTP",
    ListenerKind.SOCKS5: "SOCKS5",
    ListenerKind.MIXED: "HTTP and SOCKS5",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Sockets that listen already; with a proxy's goes what it speaks, and the profile it names."""

    proxies: tuple[tuple[socket.socket, ListenerKind, str | None], ...]
    health: socket.socket | None
    metrics: socket.socket | None

    def sockets(self) -> list[socket.socket]:
        """All of them."""
        proxies = [listener for listener, _, _ in self.proxies]
        return proxies + [page for page in (self.health, self.metrics) if page is not None]


class Service:
    """Everything between the first client and the last. Use once."""

    def __init__(  # noqa: PLR0913 what a service is made of
        self,
        *,
        sessions: Mapping[Holder | str | None, Session],
        listening: Listening,
        tokens: Tokens | None,
        drain_seconds: float,
        environ: Mapping[str, str],
        log: OperationalLog,
    ) -> None:
        """`sessions` are by who has one of the `tokens`; without them, by profile."""
        self._sessions = sessions
        self.listening = listening
        self._tokens = tokens
        self._drain_seconds = drain_seconds
        self._environ = environ
        self.log = log
        self.crowd, self._strangers = Crowd(), Crowd()
        self.control: ControlSocket | None = None
        self.inbox: OpenInbox | None = None
        self._takeover: Takeover | None = None
        # What comes with the journal; None: nobody asked for it.
        self.page: Page | None = None
        self.tracing: Tracing | None = None

    @property
    def connected(self) -> int:
        """How many clients there are, with a token or not."""
        return self.crowd.count + self._strangers.count

    async def run(self, trail: AuditTrail) -> int:
        """Serve until SIGTERM or SIGINT; how many were cut then. Raises `AuditUnavailable`."""
        self._stopping, self._hurrying = asyncio.Event(), asyncio.Event()
        self._signalled = asyncio.Event()
        self._trail = trail
        self._runs: dict[Holder | str | None, Run] = {}
        self._take_signals()
        async with AsyncExitStack() as stack:
            shared = await self._share(stack)
            for key, each in self._sessions.items():
                self._runs[key] = await self._run_of(each, shared)
            if self._tokens is None:
                admission, servers = None, await self._open_to_all(stack, shared)
            else:
                admission = await self._admit(stack, shared, self._tokens)
                servers = [await self._open_front(stack, shared, admission.door)]
            health = None
            if self.listening.health is not None:
                health = await stack.enter_async_context(Health(self.listening.health, trail))
            if self.listening.metrics is not None and self.page is not None:
                await stack.enter_async_context(MetricsPage(self.listening.metrics, self.page))
            takeover = await self._take_over(stack, shared)
            self._announce()
            await self._until_stopped(admission)
            if health is not None:
                health.is_draining = True
            notify("STOPPING=1", self._environ)
            # Clients leave the first servers first.
            servers += admission.servers if admission else ()
            return await self._drain(servers, takeover)

    async def _take_over(self, stack: AsyncExitStack, shared: Shared) -> Takeover | None:
        """Serve runs that this user starts meanwhile; None where nobody could offer one."""
        opened = stack.enter_context(runs_socket(self._environ, self.log))
        if opened is None:
            return None
        settings = next(iter(self._sessions.values())).settings
        takeover = Takeover(opened, shared, self._trail, settings, reviewer_name())
        self._takeover = await stack.enter_async_context(takeover)
        return self._takeover

    async def _run_of(self, session: Session, shared: Shared) -> Run:
        """Raises `StoreUnavailable` for one that is to go on where it was left."""
        name = self._name_of(session)
        is_new = name is None or session.settings.ask is Ask.NEVER
        session_id = new_id("s") if is_new else await shared.service.resume(name or "")
        run = run_of(session, session_id, self._trail, reviewer_name())
        if self.tracing is not None:
            ids = {SESSION_ID: run.session_id, EXECUTION_ID: run.execution_id}
            run.trail.watch(self.tracing.watchers(ids))
        return run

    def _name_of(self, session: Session) -> str | None:
        """What a session is found by after a restart: each profile has answers of its own."""
        name = session.settings.session_name
        if name is None or self._tokens is not None or len(self._sessions) == 1:
            return name
        return f"{name}@{session.settings.profile or ''}"

    async def _share(self, stack: AsyncExitStack) -> Shared:
        """Open what all sessions use together."""
        stack.enter_context(written_by_turns(self._trail, self.log))
        first = next(iter(self._sessions.values())).settings
        screen, runs = RelayScreen(), self._all_runs
        room = room_of(first, self._trail, reviewer_name(), screen, self._environ, self.log, runs)
        room = replace(
            room,
            control=self.control,
            inbox=self.inbox,
            detail=self.log.detail,
            is_own=lambda pid: self._takeover is not None and self._takeover.is_own(pid),
        )
        return Shared(
            service=await stack.enter_async_context(
                reviewed(room, ways_of(room), opens_store=True)
            ),
            rules=room.rules,
            open_runs=OpenRuns(room.trails),
            readiness=Readiness(asyncio.get_running_loop(), report=self.log),
            crowd=self.crowd,
            own_listeners=addresses_of(self._own_sockets()),
            environ=self._environ,
            report=self.log,
            tells_at_once=True,
        )

    def _all_runs(self) -> tuple[Run, ...]:
        """Those of its sessions, and those that were handed over."""
        handed_over = () if self._takeover is None else self._takeover.runs.values()
        return (*self._runs.values(), *handed_over)

    def _own_sockets(self) -> list[socket.socket]:
        """Where no client may go, whatever the rules open."""
        inbox = [] if self.inbox is None else [self.inbox.listener]
        return [*self.listening.sockets(), *inbox]

    async def _open_to_all(self, stack: AsyncExitStack, shared: Shared) -> list[ProxyServer]:
        """Open a session for each profile, then let clients in."""
        servers = {
            key: await stack.enter_async_context(served(run, shared))
            for key, run in self._runs.items()
        }
        for listener, kind, profile in self.listening.proxies:
            servers[profile].serve(listener, kind)
        return list(servers.values())

    async def _admit(
        self, stack: AsyncExitStack, shared: Shared, tokens: Tokens
    ) -> Admission[ProxyServer]:
        """Open a session for each token."""

        @asynccontextmanager
        async def opened(holder: Holder, session: Session) -> AsyncIterator[ProxyServer]:
            run = self._runs.get(holder) or await self._run_of(session, shared)
            self._runs[holder] = run
            try:
                async with served(run, shared) as server:
                    yield server
            finally:
                del self._runs[holder]

        admission = Admission(tokens, opened=opened, say=self.log)
        stack.push_async_callback(admission.aclose)
        await admission.start({holder: self._sessions[holder] for holder in tokens.holders})
        return admission

    async def _open_front(self, stack: AsyncExitStack, shared: Shared, door: Door) -> ProxyServer:
        """Let clients in as far as the door."""
        front = await stack.enter_async_context(outside(self._trail, shared, self._strangers))
        for listener, kind, _ in self.listening.proxies:
            front.serve(listener, kind, door=door)
        return front

    async def _until_stopped(self, admission: Admission[ProxyServer] | None) -> None:
        """Read the tokens anew at each SIGHUP: in this task, which opens and closes sessions."""
        while not self._stopping.is_set():
            await self._signalled.wait()
            self._signalled.clear()
            if admission is not None and not self._stopping.is_set():
                await admission.reread()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            (self._hurrying if self._stopping.is_set() else self._stopping).set()
            self._signalled.set()

        def reload() -> None:
            for run in self._all_runs():
                run.reload_wanted.set()
            self._signalled.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, reload)

    def _announce(self) -> None:
        for listener, kind, profile in self.listening.proxies:
            whose = "" if profile is None else f", profile {profile}"
            self.log(f"listening on {where(listener)} ({_SPOKEN[kind]}{whose})")
        if self.listening.health is not None:
            self.log(f"health on http://{where(self.listening.health)}/health")
        if self.listening.metrics is not None:
            self.log(f"metrics on http://{where(self.listening.metrics)}/metrics")
        notify("READY=1", self._environ)

    async def _drain(self, servers: list[ProxyServer], takeover: Takeover | None) -> int:
        """Stop accepting, let clients and runs finish, and count who has to be cut."""
        if takeover is not None:
            takeover.stop_accepting()
        for server in servers:
            server.stop_accepting()
            server.retire()

        async def finished() -> None:
            for server in servers:
                await server.emptied()
            if takeover is not None:
                await takeover.finished()

        async with asyncio.TaskGroup() as group:
            ends = {group.create_task(finished()), group.create_task(self._hurrying.wait())}
            await asyncio.wait(
                ends, timeout=self._drain_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for end in ends:
                end.cancel()
        if left := sum(len(server.connections) for server in servers):
            self.log(f"stopped; {left} connections were cut")
        return left
