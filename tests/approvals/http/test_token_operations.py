from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.store.database import Database
from approvals.store.tokens import Tokens
from tests.support.approvals import ListSink
from tests.support.http_site import Client, RunningClock, api, served, site

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

BODY = {"name": "bot", "permissions": ["read", "decide"], "seconds": 3600}


def talk(
    path: Path, say: Callable[[Client], Coroutine[None, None, None]], sink: ListSink | None = None
) -> None:
    async def main() -> None:
        database, clock = Database(path / "approvals.db"), RunningClock()
        made, _ = site()
        tokens = Tokens(database, clock)
        app = make_application(replace(made, tokens=tokens, sink=sink or ListSink()))
        add_api(app, local=True)
        async with served(app) as client:
            await say(client)
        await database.close()

    asyncio.run(main())


def test_a_token_is_made_told_once_and_revoked(tmp_path: Path) -> None:
    async def say(client: Client) -> None:
        made = (await client.ask("POST", "/v1/tokens", BODY)).document
        assert made["token"].startswith("npx_")
        assert made["permissions"] == ["decide", "read"]
        assert made["expires_at"] == "2026-01-02T04:00:00.000Z"
        (listed,) = (await client.ask("GET", "/v1/tokens")).document["tokens"]
        assert "token" not in listed
        assert listed["created_by"] == "anna"
        taken = await client.ask("POST", "/v1/tokens", BODY)
        assert taken.status == 409
        path = f"/v1/tokens/{made['token_id']}"
        assert (await client.ask("DELETE", path)).status == 200
        assert (await client.ask("DELETE", path)).status == 404
        assert (await client.ask("GET", "/v1/tokens")).document == {"tokens": []}

    sink = ListSink()
    talk(tmp_path, say, sink)
    assert sink.names[:1] == ["reviewer.signed_in"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "-x"},
        {"name": "x\u202e"},
        {"permissions": []},
        {"permissions": ["root"]},
        {"seconds": 0},
        {"seconds": 1e9},
        {"token": "npx_mine"},
    ],
)
def test_what_no_token_can_be_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    async def say(client: Client) -> None:
        assert (await client.ask("POST", "/v1/tokens", {**BODY, **change})).status == 422

    talk(tmp_path, say)


def test_one_that_can_not_be_recorded_is_not_made(tmp_path: Path) -> None:
    async def say(client: Client) -> None:
        assert (await client.ask("POST", "/v1/tokens", BODY)).status == 503
        assert (await client.ask("GET", "/v1/tokens")).document == {"tokens": []}

    talk(tmp_path, say, ListSink("netproxy.reviewer.signed_in"))


def test_without_a_store_there_are_none() -> None:
    async def main() -> None:
        async with api(local=True) as (_, client):
            for method, path, body in (
                ("POST", "/v1/tokens", BODY),
                ("GET", "/v1/tokens", None),
                ("DELETE", "/v1/tokens/t-1", None),
            ):
                reply = await client.ask(method, path, body)
                assert reply.status == 503
                assert "store" in reply.document["detail"]

    asyncio.run(main())
