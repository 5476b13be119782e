"""A service while it runs: sessions, listeners, signals, and the end that lets clients finish."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netproxy.app.health import Health
from netproxy.app.listening import where
from netproxy.app.notify import notify
from netproxy.app.outside import outside
from netproxy.app.screen import RelayScreen
from netproxy.app.sessions import run_of, served
from netproxy.app.wiring import Shared, addresses_of, approval_service, written_by_turns
from netproxy.connection.credentials import Identity
from netproxy.transport.door import Door
from netproxy.transport.readiness import Readiness
from netproxy.transport.server import Crowd, ListenerKind

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from netproxy.app.reception import Run
    from netproxy.app.sessions import Session
    from netproxy.connection.credentials import Credentials
    from netproxy.transport.server import ProxyServer
    from otel import AuditTrail

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


class Service:
    """Everything between the first client and the last. Use once."""

    def __init__(  # noqa: PLR0913 what a service is made of
        self,
        *,
        sessions: Mapping[str | None, Session],
        listening: Listening,
        credentials: Credentials | None,
        drain_seconds: float,
        environ: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        """`sessions` are by the names that `credentials` knows; without them, by profile."""
        self._sessions = sessions
        self._listening = listening
        self._credentials = credentials
        self._drain_seconds = drain_seconds
        self._environ = environ
        self._say = say

    async def run(self, trail: AuditTrail) -> None:
        """Serve until SIGTERM or SIGINT. Raises `AuditUnavailable`."""
        self._stopping, self._hurrying = asyncio.Event(), asyncio.Event()
        runs = {key: run_of(each, trail, _user()) for key, each in self._sessions.items()}
        self._take_signals(runs)
        async with AsyncExitStack() as stack:
            servers = await self._open(stack, runs, trail)
            health = None
            if self._listening.health is not None:
                health = await stack.enter_async_context(Health(self._listening.health))
            self._announce()
            await self._stopping.wait()
            if health is not None:
                health.is_draining = True
            notify("STOPPING=1", self._environ)
            await self._drain(servers)

    async def _open(
        self, stack: AsyncExitStack, runs: Mapping[str | None, Run], trail: AuditTrail
    ) -> list[ProxyServer]:
        """Open the sessions, then let clients in. Clients leave the first servers first."""
        sockets = [listener for listener, _, _ in self._listening.proxies]
        if self._listening.health is not None:
            sockets.append(self._listening.health)
        first = next(iter(runs.values()))
        shared = Shared(
            service=approval_service(first, RelayScreen(), self._environ),
            readiness=Readiness(asyncio.get_running_loop(), report=self._say),
            crowd=Crowd(),
            own_listeners=addresses_of(sockets),
            environ=self._environ,
            report=self._say,
            tells_at_once=True,
        )
        stack.enter_context(written_by_turns(trail, self._say))
        await stack.enter_async_context(shared.service)
        servers = {
            key: await stack.enter_async_context(served(run, shared)) for key, run in runs.items()
        }
        if self._credentials is None:
            for listener, kind, profile in self._listening.proxies:
                servers[profile].serve(listener, kind)
            return list(servers.values())
        front = await stack.enter_async_context(outside(trail, shared))
        by_identity = {Identity(key): server for key, server in servers.items() if key is not None}
        door = Door(credentials=self._credentials, runs=by_identity)
        for listener, kind, _ in self._listening.proxies:
            front.serve(listener, kind, door=door)
        return [front, *servers.values()]

    def _take_signals(self, runs: Mapping[str | None, Run]) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            (self._hurrying if self._stopping.is_set() else self._stopping).set()

        def reload() -> None:
            for run in runs.values():
                run.reload_wanted.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        loop.add_signal_handler(signal.SIGHUP, reload)

    def _announce(self) -> None:
        for listener, kind, profile in self._listening.proxies:
            whose = "" if profile is None else f", profile {profile}"
            self._say(f"listening on {where(listener)} ({_SPOKEN[kind]}{whose})")
        if self._listening.health is not None:
            self._say(f"health on http://{where(self._listening.health)}/health")
        notify("READY=1", self._environ)

    async def _drain(self, servers: list[ProxyServer]) -> None:
        """Stop accepting, let clients finish, and count who has to be cut."""
        for server in servers:
            server.stop_accepting()
            server.retire()

        async def finished() -> None:
            for server in servers:
                await server.emptied()

        async with asyncio.TaskGroup() as group:
            ends = {group.create_task(finished()), group.create_task(self._hurrying.wait())}
            await asyncio.wait(
                ends, timeout=self._drain_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for end in ends:
                end.cancel()
        if left := sum(len(server.connections) for server in servers):
            self._say(f"stopped; {left} connections were cut")


def _user() -> str:
    """Who answers questions at the terminal, for the record."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
