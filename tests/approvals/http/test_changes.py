"""The feed: nothing missed, nobody served for ever, and who reads is there."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from approvals.http import changes
from approvals.http.identity import Identity, Permission
from approvals.http.problems import Problem
from tests.support.fair_clock import FairClock
from tests.support.http_site import ANNA, As, Client, api
from tests.support.inbox import FakeInbox, question
from tests.support.loops import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from aiohttp import web


async def opened(
    client: Client, path: str = "/v1/changes", fields: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def read_to(reader: asyncio.StreamReader, text: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await reader.readuntil(text)


def test_lines_for_programs() -> None:
    inbox = FakeInbox()

    async def main() -> None:
        async with api(inbox) as (site, client):
            reader, writer = await opened(client)
            await read_to(reader, b"\n\r\n")
            assert site.presence.anybody
            inbox.put(question("a-7"))
            line = (await read_to(reader, b"}\n")).split(b"\n")[-2]
            assert json.loads(line) | {"at": ""} == {
                "number": 1,
                "kind": "asked",
                "ref": "a-7",
                "at": "",
            }
            writer.close()

    asyncio.run(main())


def test_events_for_browsers_go_on_where_they_were() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2"))

    async def main() -> None:
        async with api(inbox) as (_, client):
            fields = "Accept: text/event-stream\r\nLast-Event-ID: 1\r\n"
            reader, writer = await opened(client, fields=fields)
            told = await read_to(reader, b"}\n\n")
            assert b"retry: 2000\n\n" in told
            assert b"id: 2\nevent: asked\ndata: {" in told
            assert b"a-1" not in told
            writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("after", ["-1", "x", "1.0", "9" * 19, "9" * 4000, "%D9%A1"])
def test_what_is_no_number_is_refused(after: str) -> None:
    async def main() -> None:
        async with api() as (_, client):
            assert (await client.ask("GET", f"/v1/changes?after={after}")).status == 422

    asyncio.run(main())


def test_who_has_left_is_not_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_LOOK_SECONDS", 0.02)

    async def main() -> None:
        async with api() as (site, client):
            _, writer = await opened(client)
            assert site.presence.anybody
            writer.close()
            await until(lambda: not site.presence.anybody)

    asyncio.run(main())


def test_whoever_may_not_answer_reads_without_being_there() -> None:
    reader_only = Identity(name="bot", channel="api", permissions=frozenset({Permission.READ}))

    async def main() -> None:
        async with api(authenticate=As(reader_only)) as (site, client):
            _, writer = await opened(client)
            assert not site.presence.anybody
            writer.close()

    asyncio.run(main())


def test_a_token_that_is_revoked_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(changes, "_SIGN_OF_LIFE_SECONDS", 0.05)

    class Revocable(As):
        async def __call__(self, request: web.Request, /) -> Identity:
            if not self.identity.permissions:
                raise Problem(401, "unauthenticated", "no")
            return await super().__call__(request)

    async def main() -> None:
        who = Revocable(ANNA)
        async with api(authenticate=who) as (_, client):
            reader, writer = await opened(client)
            await read_to(reader, b"\n\r\n")
            await read_to(reader, b"1\r\n\n\r\n")  # a sign of life
            who.identity = Identity(name="anna", channel="api", permissions=frozenset())
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert (await reader.read()).endswith(b"0\r\n\r\n")
            writer.close()

    asyncio.run(main())


def test_it_ends_with_the_service() -> None:
    async def main() -> float:
        async with api() as (_, client):
            reader, writer = await opened(client)
            await read_to(reader, b"\n\r\n")
            clock = FairClock()
        assert await reader.read() == b"0\r\n\r\n"
        writer.close()
        return clock()

    assert asyncio.run(main()) < 0.5
