"""Which ways to reviewers a gateway opens, and that what they need runs as long as it does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest

from approvals import ApprovalService, Ending, SystemClock
from netproxy.app.cli.run_options import parse_run
from netproxy.app.reviewing import Room, Way, reviewed, ways_of
from netproxy.app.settings import load_settings
from tests.support.approvals import ListSink, asking
from tests.support.terminals import NotedScreen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from otel import AuditTrail


def room(home: Path, *arguments: str) -> Room:
    environ = {"HOME": str(home)}
    return Room(
        settings=load_settings(
            parse_run([*arguments, "--", "true"]),
            environ,
            managed_file=home / "absent",
            directory=home,
        ),
        trail=cast("AuditTrail", ListSink()),
        user="anna",
        screen=NotedScreen(),
        environ=environ,
        report=lambda _: None,
        clock=SystemClock(),
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
