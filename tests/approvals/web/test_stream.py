"""An open page is told what changes, and misses nothing; a page that is gone is not counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.model import Change, ChangeKind
from approvals.web.stream import as_event
from tests.support.inbox import FakeInbox, question
from tests.support.loops import PATIENCE_SECONDS, until
from tests.support.web_visit import visit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.web_visit import Visit


class Reading:
    """A page that listens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, text: str) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self.reader.readuntil(text.encode())).decode()


async def listen(anna: Visit, last: str = "") -> Reading:
    reader, writer = await asyncio.open_connection("127.0.0.1", anna.client.port)
    head = (
        f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{anna.client.port}\r\nCookie: {anna.cookie}\r\n"
    )
    writer.write(f"{head}Last-Event-ID: {last}\r\n\r\n".encode())
    return Reading(reader, writer)


async def gone(anna: Visit) -> None:
    await until(lambda: not anna.site.presence._attached)


@pytest.fixture
def inbox() -> FakeInbox:
    return FakeInbox(question("a-1"))


async def _open(inbox: FakeInbox) -> AsyncIterator[Visit]:
    async with visit(inbox) as anna:
        await anna.sign_in()
        yield anna


def test_changes_are_told_as_they_come(inbox: FakeInbox) -> None:
    async def main() -> None:
        async for anna in _open(inbox):
            page = await listen(anna)
            head = await page.until("retry: 2000\n\n")
            assert "text/event-stream" in head
            assert "no-store" in head
            assert anna.site.presence.anybody
            await asyncio.sleep(0.03)
            inbox.put(question("a-2"))
            told = await page.until("\n\n")
            assert 'id: 2\nevent: change\ndata: {"kind": "asked", "ref": "a-2"}' in told
            assert "beat" in await page.until("event: beat\ndata: {}\n\n")
            page.writer.close()
            await gone(anna)

    asyncio.run(main())


def test_who_comes_back_is_told_what_was_missed(inbox: FakeInbox) -> None:
    async def main() -> None:
        async for anna in _open(inbox):
            inbox.put(question("a-2"))
            inbox.put(question("a-3"))
            page = await listen(anna, "1")
            told = await page.until('"a-3"}')
            assert '"a-2"' in told
            assert '"a-1"' not in told
            page.writer.close()
            await gone(anna)

    asyncio.run(main())


def test_a_session_that_ends_takes_its_stream_along(inbox: FakeInbox) -> None:
    async def main() -> None:
        async for anna in _open(inbox):
            page = await listen(anna)
            await page.until("retry: 2000\n\n")
            assert (await anna.post("/sign-out")).status == 303
            await page.until("event: signed-out\ndata: {}\n\n")
            page.writer.close()
            await gone(anna)

    asyncio.run(main())


def test_nobody_listens_without_a_session(inbox: FakeInbox) -> None:
    async def main() -> None:
        async with visit(inbox) as nobody:
            assert (await nobody.get("/events")).status == 401
            assert not nobody.site.presence.anybody

    asyncio.run(main())


@pytest.mark.parametrize("last", ["x", "-1", "1" * 40, "²"])
def test_a_number_that_is_none_of_ours_means_from_now_on(inbox: FakeInbox, last: str) -> None:
    async def main() -> None:
        async for anna in _open(inbox):
            page = await listen(anna, last)
            await page.until("retry: 2000\n\n")
            await asyncio.sleep(0.03)
            inbox.put(question("a-2"))
            assert '"a-1"' not in await page.until('"a-2"}')
            page.writer.close()
            await gone(anna)

    asyncio.run(main())


def test_an_event_is_one_event() -> None:
    """No reference breaks out of its line."""
    told = as_event(Change(number=7, kind=ChangeKind.ASKED, ref="a\n\nevent: x", at=0.0))
    assert told.count(b"\n\n") == 1
