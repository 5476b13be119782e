"""Over TCP only a good token speaks, and only as far as it may."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.http.bearer import BearerTokens
from approvals.store.database import Database
from approvals.store.tokens import Tokens
from tests.support.approvals import ListSink
from tests.support.http_site import Client, RunningClock, served, site
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

READ = frozenset({"read"})


@asynccontextmanager
async def tokened(path: Path, inbox: FakeInbox) -> AsyncIterator[tuple[Tokens, Client, ListSink]]:
    database, clock, sink = Database(path / "approvals.db"), RunningClock(), ListSink()
    tokens = Tokens(database, clock)
    made, _ = site(inbox=inbox)
    bearer = BearerTokens(tokens, sink=sink, clock=clock)
    app = make_application(replace(made, authenticate=bearer, sink=sink, tokens=tokens))
    add_api(app, local=False)
    async with served(app) as client:
        yield tokens, client, sink
    await database.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def reasons(sink: ListSink) -> list[str]:
    return [event.reason for event in sink.events if hasattr(event, "reason")]


def test_a_good_token_does_what_it_may(tmp_path: Path) -> None:
    inbox = FakeInbox(question("a-1"))

    async def main() -> None:
        async with tokened(tmp_path, inbox) as (tokens, client, _):
            _, secret = await tokens.add("bot", READ, seconds=60, by="anna")
            assert (await client.ask("GET", "/v1/approvals", fields=bearer(secret))).status == 200
            seen = {"version": 1, "digest": question("a-1").digest, "join_no": 1}
            body = {"verdict": "allow", "scope": "once", "seen": seen}
            path = "/v1/approvals/a-1/answers"
            refused = await client.ask("POST", path, body, fields=bearer(secret))
            assert (refused.status, refused.document["permission"]) == (403, "decide")
            may = frozenset({"read", "decide"})
            _, other = await tokens.add("decider", may, seconds=60, by="anna")
            assert (await client.ask("POST", path, body, fields=bearer(other))).status == 200

    asyncio.run(main())
    ((_, said),) = inbox.decided
    assert (said.reviewer, said.channel) == ("decider", "api")


def test_without_a_good_one_nothing_is_told(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with tokened(tmp_path, FakeInbox(question("a-1"))) as (tokens, client, sink):
            token, secret = await tokens.add("bot", READ, seconds=60, by="anna")
            wrong = [
                {},
                {"Authorization": ""},
                {"Authorization": secret},
                {"Authorization": f"Basic {secret}"},
                bearer("npx_" + "A" * 43),
                bearer(secret[:-1]),
                bearer(secret + "A"),
                bearer(secret.lower()),
                bearer(f"{secret} {secret}"),
            ]
            for fields in wrong:
                reply = await client.ask("GET", "/v1/approvals", fields=fields)
                assert reply.status == 401
                assert reply.fields["www-authenticate"].startswith("Bearer")
                assert b"a-1" not in reply.body
            in_path = await client.ask("GET", f"/v1/approvals?access_token={secret}")
            assert in_path.status == 401
            twice = (
                b"GET /v1/approvals HTTP/1.1\r\nHost: localhost\r\n"
                + f"Authorization: Bearer {secret}\r\n".encode() * 2
                + b"\r\n"
            )
            assert (await client.raw(twice)).status in {400, 401}
            await tokens.revoke(token.token_id, by="anna")
            assert (await client.ask("GET", "/v1/grants", fields=bearer(secret))).status == 401
            return reasons(sink)

    assert set(asyncio.run(main())) == {"unauthenticated"}


def test_guessing_is_slowed_down_and_does_not_fill_the_record(tmp_path: Path) -> None:
    async def main() -> None:
        async with tokened(tmp_path, FakeInbox()) as (tokens, client, sink):
            _, secret = await tokens.add("bot", READ, seconds=60, by="anna")
            statuses = [(await client.ask("GET", "/v1/grants")).status for _ in range(25)]
            assert statuses == [401] * 20 + [429] * 5
            limited = await client.ask("GET", "/v1/grants")
            assert 1 <= int(limited.fields["retry-after"]) <= 60
            assert len(sink.events) == 20
            # Nobody's failures keep others out.
            assert (await client.ask("GET", "/v1/grants", fields=bearer(secret))).status == 200

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/v1/tokens", "/v1/logins"])
def test_tokens_can_not_make_tokens(path: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with tokened(tmp_path, FakeInbox()) as (tokens, client, _):
            every = frozenset({"read", "decide", "revoke", "rules"})
            _, secret = await tokens.add("bot", every, seconds=60, by="anna")
            for method in ("GET", "POST", "DELETE"):
                given = {"name": "mine"} if method == "POST" else None
                reply = await client.ask(method, path, given, fields=bearer(secret))
                assert reply.status == 404

    asyncio.run(main())


def test_without_a_store_no_token_is_good() -> None:
    async def main() -> int:
        made, _ = site()
        none = BearerTokens(None, sink=ListSink(), clock=RunningClock())
        app = make_application(replace(made, authenticate=none))
        add_api(app, local=False)
        async with served(app) as client:
            fields = bearer("npx_" + "A" * 43)
            return (await client.ask("GET", "/v1/grants", fields=fields)).status

    assert asyncio.run(main()) == 401
