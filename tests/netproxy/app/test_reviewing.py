"""Which ways to reviewers a gateway opens, and that what they need runs as long as it does."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest

from approvals import Answer, ApprovalService, Ending, Outcome, StoreUnavailable, SystemClock
from approvals.presence import Presence
from netproxy.app.approval_store import store_at
from netproxy.app.cli.run_options import parse_run
from netproxy.app.reviewing import Room, Way, reviewed, ways_of
from netproxy.app.rule_writer import RuleWriter
from netproxy.app.settings import load_settings
from tests.support.approvals import ListSink, Scripted, Silent, answer, asking
from tests.support.http_site import FakeSurroundings
from tests.support.terminals import NotedScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from approvals import Inquiry
    from otel import AuditTrail


def room(home: Path, *arguments: str) -> Room:
    environ, clock = {"HOME": str(home)}, SystemClock()
    settings = load_settings(
        parse_run([*arguments, "--", "true"]),
        environ,
        managed_file=home / "absent",
        directory=home,
    )
    return Room(
        settings=settings,
        trail=cast("AuditTrail", ListSink()),
        user="anna",
        screen=NotedScreen(),
        environ=environ,
        report=lambda _: None,
        clock=clock,
        rules=RuleWriter(clock),
        store=store_at(settings.approvals.store, clock),
        presence=Presence(clock),
        surroundings=FakeSurroundings(),
    )


def test_where_nobody_is_to_be_asked_nobody_is(tmp_path: Path) -> None:
    async def story() -> Ending:
        silent = room(tmp_path, "--ask", "never")
        async with reviewed(silent, ways_of(silent)) as service:
            return (await service.ask(asking())).ending

    assert asyncio.run(story()) is Ending.UNAVAILABLE


def test_what_a_way_needs_runs_as_long_as_the_service(tmp_path: Path) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def hosted(service: ApprovalService) -> AsyncIterator[None]:
        assert service.grant(asking().key) is None
        seen.append("open")
        yield
        seen.append("closed")

    async def story() -> None:
        async with reviewed(room(tmp_path), (Way(hosted=hosted),)):
            seen.append("served")

    asyncio.run(story())
    assert seen == ["open", "served", "closed"]


def test_a_way_that_cannot_open_keeps_the_gateway_shut(tmp_path: Path) -> None:
    def listen() -> None:
        raise OSError("the address is taken")

    @asynccontextmanager
    async def refused(_: ApprovalService) -> AsyncIterator[None]:
        listen()
        yield

    async def story() -> None:
        async with reviewed(room(tmp_path), (Way(hosted=refused),)):
            pytest.fail("nobody may be let in")

    with pytest.raises(OSError, match="taken"):
        asyncio.run(story())


def test_a_store_that_cannot_be_used_keeps_a_service_shut_and_a_run_asks_in_vain(
    tmp_path: Path,
) -> None:
    file = tmp_path / ".local/state/netproxy/approvals.db"
    file.parent.mkdir(0o700, parents=True)
    file.write_bytes(b"damaged " * 1000)
    file.chmod(0o600)

    async def serve() -> None:
        async with reviewed(room(tmp_path), (Way(reviewers=(Silent(),)),), opens_store=True):
            pytest.fail("nobody may be let in")

    async def run() -> Outcome:
        async with reviewed(room(tmp_path), (Way(reviewers=(Silent(),)),)) as service:
            return await service.ask(asking())

    with pytest.raises(StoreUnavailable, match=f"{file}: is damaged"):
        asyncio.run(serve())
    outcome = asyncio.run(run())
    assert outcome.ending is Ending.UNAVAILABLE
    assert "is damaged" in outcome.explanation
    assert file.read_bytes() == b"damaged " * 1000


def test_what_was_asked_is_in_the_file_that_the_settings_name(tmp_path: Path) -> None:
    async def story() -> None:
        async with reviewed(room(tmp_path), (Way(reviewers=(Scripted(allow),)),)) as service:
            assert (await service.ask(asking())).allowed

    asyncio.run(story())
    kept = sqlite3.connect(tmp_path / ".local/state/netproxy/approvals.db")
    assert kept.execute("SELECT host, status FROM approvals").fetchall() == [("pypi.org", "used")]
    kept.close()


def allow(_: Inquiry) -> Answer:
    return answer()
