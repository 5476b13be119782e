"""The web inbox on a loopback port, in a thread of its own: browsers are driven from the test's."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from approvals.http.application import make_application
from approvals.http.hosts import Hosts
from approvals.http.server import HttpServer
from approvals.http.site import Site
from approvals.model import Answer, ChangeKind, Grant, Scope, Status, Verdict
from approvals.presence import Presence
from approvals.web.door import Desk
from approvals.web.pages import add_pages
from approvals.web.visitors import LoginCodes, LoginLinks, Visitors
from tests.support.approvals import ListSink, asking
from tests.support.http_site import As, FakeSurroundings, listener
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from approvals.model import Pending, Question


class MovableClock:
    """The time of day, which a test may move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def wall(self) -> float:
        return time.time() + self.ahead


def asked(
    number: int,
    host: str = "pypi.org",
    *,
    group: str | None = None,
    command: str | None = None,
    unicode_host: str | None = None,
) -> Question:
    made = replace(asking(host), group=group or host, unicode_host=unicode_host)
    if command is not None:
        made = replace(made, command=command)
    return question(f"a-{number}", made, created_at=time.time())


def allowed(*, comment: str | None = None, reviewer: str = "anna") -> Answer:
    return Answer(
        verdict=Verdict.ALLOW,
        scope=Scope.SESSION,
        cancel=False,
        reviewer=reviewer,
        channel="web",
        seen_join_no=1,
        comment=comment,
    )


@dataclass
class InboxServer:
    """What a test can do to it while browsers look."""

    inbox: FakeInbox
    sink: ListSink
    clock: MovableClock
    presence: Presence
    port: int
    links: LoginLinks
    visitors: Visitors
    loop: asyncio.AbstractEventLoop
    log: list[str]
    server: HttpServer

    def hang_up(self) -> None:
        """Cut every connection."""

        def cut() -> None:
            serving = self.server._runner.server
            assert serving is not None
            for connection in serving.connections:
                if connection.transport is not None:
                    connection.transport.abort()

        self.do(cut)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def do[T](self, work: Callable[[], T]) -> T:
        """Run something where the inbox lives."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # it belongs to the test's thread
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return done.result(20)

    def put(self, *questions: Question, waiting: int = 1) -> None:
        """Ask."""

        def put() -> list[Pending]:
            return [self.inbox.put(each, waiting=waiting, joined=waiting) for each in questions]

        self.do(put)

    def bump(self, approval_id: str, *, waiting: int) -> None:
        """Change what is asked: another version, for others."""

        def bump() -> None:
            old = self.inbox.standing[approval_id]
            self.inbox.standing[approval_id] = replace(
                old, version=old.version + 1, waiting=waiting, joined=waiting
            )
            self.inbox.emit(ChangeKind.WAITING, approval_id)

        self.do(bump)

    def end(self, approval_id: str, answer: Answer) -> None:
        """Answer as somebody else."""
        self.do(lambda: self.inbox.resolve(approval_id, Status.GRANTED, answer))

    @staticmethod
    def grant_of(approval_id: str, answer: Answer) -> Grant:
        """What an answer leaves."""
        return Grant(
            grant_id="g-1",
            approval_id=approval_id,
            key=asked(1).key,
            verdict=answer.verdict,
            scope=answer.scope,
            run="r-1",
            created_at=time.time(),
            reviewer=answer.reviewer,
            channel=answer.channel,
            comment=answer.comment,
            budget=answer.budget,
        )

    def clear(self) -> None:
        """As it was at the start."""

        def clear() -> None:
            for known in (self.inbox.standing, self.inbox.held, self.inbox.resolutions):
                known.clear()
            for told in (self.inbox.ended, self.inbox.decided, self.inbox.revoked):
                told.clear()
            self.sink.events.clear()
            self.clock.ahead = 0.0

        self.do(clear)

    def cookie(self, name: str) -> tuple[str, str]:
        """What a browser has after a login: name and value."""
        return f"netproxy-{self.port}", self.do(lambda: self.visitors.admit(name))

    def login(self, name: str) -> str:
        """A login link."""
        return self.do(lambda: self.links.issue(name).url)


@contextmanager
def served_inbox() -> Iterator[InboxServer]:
    """Serve until left."""
    started: Future[InboxServer] = Future()
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(started, over)))
    thread.start()
    try:
        yield started.result(5)
    finally:
        over.set()
        thread.join()


async def _serve(started: Future[InboxServer], over: threading.Event) -> None:
    clock, log = MovableClock(), list[str]()
    inbox, sink, presence = FakeInbox(), ListSink(), Presence(clock)
    site = Site(
        inbox=inbox,
        surroundings=FakeSurroundings(),
        sink=sink,
        clock=clock,
        presence=presence,
        hosts=Hosts(),
        authenticate=As(),
        log=log.append,
        report=log.append,
    )
    app = make_application(site)
    with listener() as socket:
        port = socket.getsockname()[1]
        desk = Desk(
            visitors=Visitors(clock),
            codes=LoginCodes(clock),
            public_url=None,
            policy_file="config.toml",
        )
        add_pages(app, desk)
        links = LoginLinks(desk.codes, f"http://127.0.0.1:{port}")
        async with HttpServer(app, [socket]) as server:
            loop = asyncio.get_running_loop()
            started.set_result(
                InboxServer(
                    inbox, sink, clock, presence, port, links, desk.visitors, loop, log, server
                )
            )
            await asyncio.to_thread(over.wait)
