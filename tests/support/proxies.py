"""A whole data plane on loopback, running in a thread, with fakes behind it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import uvloop

from netproxy.config import Limits
from netproxy.connection.gate import Gate
from netproxy.connection.routes import RoutedJudge
from netproxy.model import CloseReason, Verdict
from netproxy.transport import (
    Door,
    HappyEyeballs,
    ListenerKind,
    OwnPorts,
    ProxyServer,
    Readiness,
)
from netproxy.transport.ways import Ways
from sandbox.loopback import is_same_user
from tests.support.fakes import (
    FakeApprover,
    FakeAudit,
    FakeCache,
    FakeLedger,
    FakePolicy,
    FakeResolver,
    FakeToken,
)
from tests.support.origins import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.connection.credentials import Credentials
    from netproxy.connection.fake_names import FakeNames
    from netproxy.connection.routes import Routes
    from netproxy.ports import Dialer, Resolver
    from netproxy.transport.udp_ports import Ports

LOOPBACK = frozenset({"127.0.0.1", "::1"})
LIMITS = replace(Limits(), head_seconds=5.0, linger_seconds=0.5)


@dataclass(kw_only=True)
class Setting:
    """What a test may choose; everything has a harmless value but the verdict."""

    policy: FakePolicy = field(default_factory=lambda: FakePolicy(Verdict.ALLOW, dialable=LOOPBACK))
    cache: FakeCache = field(default_factory=FakeCache)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    approver: FakeApprover = field(default_factory=FakeApprover)
    audit: FakeAudit = field(default_factory=FakeAudit)
    token: FakeToken = field(default_factory=FakeToken)
    resolver: Resolver = field(default_factory=FakeResolver)
    dialer: Callable[[Readiness, Limits], Dialer] = HappyEyeballs
    limits: Limits = LIMITS
    routes: Routes | None = None
    credentials: Credentials | None = None
    names: FakeNames | None = None
    ports: Callable[[Readiness], Ports | None] = lambda readiness: OwnPorts(readiness, is_same_user)
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop


class Proxy:
    """Started by `proxy`; every method may be called from the test's own thread."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.audit = setting.audit
        self.token = setting.token
        self.reports: list[str] = []
        self._http, self._socks, self._mixed = _listener(), _listener(), _listener()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        self.call(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def call[T](self, function: Callable[[], T]) -> T:
        """Run a function in the proxy's loop."""

        async def inside() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(PATIENCE_SECONDS)

    def close_all(self, reason: CloseReason) -> None:
        self.call(lambda: self.server.close_all(reason))

    def settle(self) -> None:
        """Wait until every connection has ended by itself."""
        eventually(lambda: not self.server.connections)

    def settle_after(self, client: socket.socket) -> None:
        client.close()
        self.settle()

    def http(self) -> socket.socket:
        return _client(self._http_port)

    def socks(self) -> socket.socket:
        return _client(self._socks_port)

    def mixed(self) -> socket.socket:
        return _client(self.mixed_port)

    @property
    def mixed_port(self) -> int:
        return self._ports[2]

    def connect(self, authority: str, *, early: bytes = b"") -> tuple[socket.socket, bytes]:
        """A client after CONNECT, and the head of the answer."""
        client = self.http()
        client.sendall(
            f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode() + early
        )
        return client, read_until(client, b"\r\n\r\n")

    @property
    def _http_port(self) -> int:
        return self._ports[0]

    @property
    def _socks_port(self) -> int:
        return self._ports[1]

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.setting.loop_factory) as runner:
            runner.run(self._main())

    def _door(self) -> Door | None:
        """Every secret leads into this one run."""
        credentials = self.setting.credentials
        if credentials is None:
            return None
        return Door(credentials=credentials, runs=defaultdict(lambda: self.server))

    async def _main(self) -> None:
        setting = self.setting
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        listeners = (self._http, self._socks, self._mixed)
        self._ports: tuple[int, ...] = tuple(listener.getsockname()[1] for listener in listeners)
        readiness = self.readiness = Readiness(self._loop, report=self.reports.append)
        dialer = setting.dialer(readiness, setting.limits)
        self.server = ProxyServer(
            gate=Gate(
                policy=RoutedJudge(setting.policy, setting.routes)
                if setting.routes
                else setting.policy,
                cache=setting.cache,
                approver=setting.approver,
                audit=setting.audit,
                token=setting.token,
                ledger=setting.ledger,
            ),
            ledger=setting.ledger,
            policy=setting.policy,
            resolver=setting.resolver,
            dialer=dialer,
            ways=Ways(
                setting.routes,
                readiness=readiness,
                limits=setting.limits,
                dialer=dialer,
                resolver=setting.resolver,
            )
            if setting.routes
            else None,
            audit=setting.audit,
            limits=setting.limits,
            readiness=readiness,
            report=self.reports.append,
            ports=setting.ports(readiness),
            names=setting.names,
        )
        self.server.serve(self._http, ListenerKind.HTTP, door=self._door())
        self.server.serve(self._socks, ListenerKind.SOCKS5, door=self._door())
        self.server.serve(self._mixed, ListenerKind.MIXED, door=self._door())
        self._ready.set()
        await self._stop.wait()
        await self.server.aclose()
        readiness.close()


@contextmanager
def proxy(setting: Setting | None = None) -> Iterator[Proxy]:
    """A running proxy; nothing may have gone wrong inside it, and nothing may be left."""
    running = Proxy(setting or Setting())
    running.start()
    try:
        yield running
    finally:
        running.stop()
    assert not running.server.connections
    assert running.reports == []


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread does; fail when it does not."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.002)


def read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        data = client.recv(65536)
        if not data:
            break
        received += data
    return received


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    return listener


def _client(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client
