"""Behind the control socket nothing is there until somebody knocks; then the whole API is."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from approvals.clock import SystemClock
from approvals.presence import Presence
from approvals.store.memory import MemoryStore
from netproxy.app import control as module
from netproxy.app.control import controlled, tokens_of
from netproxy.app.control_socket import FIRST, connect, open_control
from tests.support.approvals import ListSink
from tests.support.http_site import FakeSurroundings, read_reply
from tests.support.inbox import FakeInbox, question
from tests.support.loops import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from netproxy.app.reviewing import Room


class FakeRoom:
    def __init__(self, reports: list[str]) -> None:
        self.trail = ListSink()
        self.clock = SystemClock()
        self.presence = Presence(self.clock)
        self.surroundings = FakeSurroundings()
        self.store = MemoryStore()
        self.report = reports.append
        self.detail = reports.append
        self.inbox = None

    def is_own(self, pid: int) -> bool:
        """Nobody that is handed over."""
        return pid < 0


def room(reports: list[str]) -> Room:
    return cast("Room", FakeRoom(reports))


async def ask(folder: Path, path: str) -> Any:
    connection = await asyncio.to_thread(connect, folder, FIRST, 5)
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        reply = await read_reply(reader)
    writer.close()
    return reply


def test_the_api_answers_a_stranger_to_this_process_tree_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This very process is the gateway here, so it is refused as one of its own run."""
    reports: list[str] = []

    async def main() -> None:
        control = open_control(tmp_path / "netproxy")
        async with controlled(room(reports), control, FakeInbox(question("a-1"))):
            refused = await ask(tmp_path / "netproxy", "/v1/approvals")
            assert refused.status == 403
            monkeypatch.setattr(module, "descends_from", lambda *_: False)
            allowed = await ask(tmp_path / "netproxy", "/v1/approvals")
            assert json.loads(allowed.body)["approvals"][0]["approval_id"] == "a-1"
        control.close()

    asyncio.run(main())
    assert list((tmp_path / "netproxy").iterdir()) == []
    assert [line.split()[2] for line in reports] == ["403", "200"]


def test_nobody_knocked_and_nothing_happened(tmp_path: Path) -> None:
    async def main() -> None:
        control = open_control(tmp_path / "netproxy")
        async with controlled(room([]), control, FakeInbox()):
            await asyncio.sleep(0)
        control.close()

    asyncio.run(main())
    assert list((tmp_path / "netproxy").iterdir()) == []


def test_a_way_that_fails_costs_nobody_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_import", lambda: sys.exit)
    monkeypatch.setitem(sys.modules, "approvals.http.api", None)
    reports: list[str] = []

    async def main() -> None:
        control = open_control(tmp_path / "netproxy")
        async with controlled(room(reports), control, FakeInbox()):
            with connect(tmp_path / "netproxy", FIRST, 1) as waiting:
                await until(lambda: reports)
                with suppress(ConnectionResetError):
                    assert waiting.recv(1) == b""
        control.close()

    asyncio.run(main())
    assert reports
    assert reports[0].startswith("netproxy: the control socket failed: ")


def test_without_a_store_on_disk_there_are_no_tokens() -> None:
    assert tokens_of(room([])) is None
