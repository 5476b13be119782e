"""A gateway as `netproxy run --no-sandbox` opens it, in this process, for real clients.

Questions are taken by a reviewer that says nothing; a test answers through the service, as a web
page or an endpoint does.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import uvloop

from netproxy.app.cli.run_options import parse_run
from netproxy.app.policy_in_force import PolicyInForce
from netproxy.app.reception import Run
from netproxy.app.reviewing import Way
from netproxy.app.settings import load_settings
from netproxy.app.wiring import gateway
from netproxy.transport.capacity import Crowd
from sandbox.launch import listen_on_host
from sandbox.token import CancellationToken
from tests.support.approvals import Silent, answer
from tests.support.fakes import FakeAudit
from tests.support.origins import PATIENCE_SECONDS
from tests.support.proxies import eventually
from tests.support.terminals import NotedScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from approvals import ApprovalService, Resolution, Scope, Verdict
    from approvals.model import Pending
    from netproxy.app.reviewing import Room
    from netproxy.app.supervisor import Denial
    from otel import AuditTrail
    from otel.events import Event

# The same by the command line, where there is no file.
OPTIONS = (
    *("--allow-private", "127.0.0.0/8"),
    *(word for name in "abc" for word in ("--resolve", f"{name}.test=127.0.0.1")),
)
# Names lead to origins of the test.
CONFIG = """\
[profiles.dev.network]
default = "ask"
allow_private = ["127.0.0.0/8"]

[resolver]
hosts = { "a.test" = "127.0.0.1", "b.test" = "127.0.0.1", "c.test" = "127.0.0.1" }
"""


class ListTrail(FakeAudit):
    """All events of a gateway, and which of them were synced."""

    is_almost_full = False

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[Event] = []

    def record_synced(self, event: Event) -> None:
        self.record(event)
        self.synced.append(event)

    def of[Kind](self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def with_attributes(self, **_: object) -> ListTrail:
        return self

    def write_by_turns(self, *_: object, **_options: object) -> None:
        """It takes everything at once."""

    def write_at_once(self) -> None:
        """As it does anyway."""


class LiveGateway:
    """Started by `live_gateway`; every method may be called from the test's own thread."""

    def __init__(self, home: Path, config: str | None, options: tuple[str, ...]) -> None:
        self.file = home / ".config" / "netproxy" / "config.toml"
        if config is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(config)
        self._environ = {"HOME": str(home)}
        self._load = partial(
            load_settings,
            parse_run(["--no-sandbox", *options, "--", "true"]),
            self._environ,
            managed_file=home / "absent",
            directory=home,
        )
        self.trail = ListTrail()
        self.token: CancellationToken[Denial] = CancellationToken()
        self.reports: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._main()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        self.call(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def call[T](self, function: Callable[[], T]) -> T:
        async def inside() -> T:
            return function()

        return self.wait(inside())

    def wait[T](self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def asked(self) -> Pending:
        """The one question that stands, as soon as it does."""
        eventually(lambda: bool(self.call(self.service.pending)))
        (pending,) = self.call(self.service.pending)
        return pending

    def answer(
        self, verdict: Verdict, scope: Scope, *, cancel: bool = False, **more: object
    ) -> Resolution:
        """Answer the one question that stands, from another channel."""
        asked = self.asked()
        said = answer(verdict, scope, cancel=cancel, seen=asked.joined)
        said = replace(said, channel="web", **more)  # type: ignore[arg-type]  # each test knows them
        return self.wait(self.service.decide(asked.question.approval_id, said))

    def revoke(self) -> None:
        """Take back the one answer that is remembered."""
        (grant,) = self.call(self.service.grants)
        self.wait(self.service.revoke(grant.grant_id, reviewer="anna", channel="web"))

    def _ways(self, _: Room) -> tuple[Way, ...]:
        return (Way(reviewers=(Silent(),), hosted=self._hosted),)

    @asynccontextmanager
    async def _hosted(self, service: ApprovalService) -> AsyncIterator[None]:
        self.service = service
        yield

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings, listeners = self._load(), listen_on_host()
        self.http, self.socks = (
            f"127.0.0.1:{each.getsockname()[1]}" for each in (listeners.http, listeners.socks)
        )
        policy = settings.policy(now=0)
        run = Run(
            settings=settings,
            load=self._load,
            pinned={},
            policy=PolicyInForce(policy),
            digest=policy.digest,
            reload_wanted=asyncio.Event(),
            trail=cast("AuditTrail", self.trail),
            token=self.token,
            session_id="s-1",
            execution_id="r-1",
            user="anna",
            command="curl",
            directory="/",
        )
        async with gateway(
            run,
            listeners,
            screen=NotedScreen(),
            environ=self._environ,
            report=self.reports.append,
            crowd=Crowd(),
            ways=self._ways,
        ):
            self._ready.set()
            await self._stop.wait()
        listeners.close()


@contextmanager
def live_gateway(home: Path, *options: str, config: str | None = CONFIG) -> Iterator[LiveGateway]:
    running = LiveGateway(home, config, options)
    running.start()
    try:
        yield running
    finally:
        running.stop()
