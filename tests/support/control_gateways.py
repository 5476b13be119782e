"""Gateways of fakes behind real control sockets, each with a loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.http.peer import PeerCredentials
from approvals.http.server import HttpServer
from approvals.http.site import Site
from approvals.presence import Presence
from approvals.store.database import Database
from approvals.store.tokens import Tokens
from netproxy.app.control_socket import open_control
from tests.support.approvals import ListSink
from tests.support.http_site import FakeSurroundings, RunningClock
from tests.support.inbox import FakeInbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class ControlGateway:
    """One of them. What a test does to the inbox is done in its loop."""

    def __init__(
        self,
        folder: Path,
        inbox: FakeInbox,
        is_own: Callable[[int], bool],
        store: Path | None = None,
    ) -> None:
        self._store = store
        self.inbox = inbox
        self.sink = ListSink()
        self.presence = Presence(RunningClock())
        self.control = open_control(folder)
        self._is_own = is_own
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self.control.close()

    def do[T](self, work: Callable[[], T]) -> T:
        """Run `work` in the gateway's loop."""

        async def done() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        database = None if self._store is None else Database(self._store)
        site = Site(
            inbox=self.inbox,
            surroundings=FakeSurroundings(),
            sink=self.sink,
            clock=RunningClock(),
            presence=self.presence,
            hosts=None,
            authenticate=PeerCredentials(sink=self.sink, uid=os.geteuid(), is_own=self._is_own),
            log=lambda _: None,
            report=lambda _: None,
            tokens=None if database is None else Tokens(database, RunningClock()),
        )
        app = make_application(site)
        add_api(app, local=True)
        async with HttpServer(app, [self.control.listener]):
            self._ready.set()
            await self._stop.wait()
        if database is not None:
            await database.close()


@contextmanager
def control_gateway(
    folder: Path,
    inbox: FakeInbox | None = None,
    *,
    is_own: Callable[[int], bool] = lambda _: False,
    store: Path | None = None,
) -> Iterator[ControlGateway]:
    gateway = ControlGateway(folder, inbox or FakeInbox(), is_own, store)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()
