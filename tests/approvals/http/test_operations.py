"""Every operation, whoever asks: first who it is, then whether they may, then what they say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.http.api import OPERATIONS
from approvals.http.identity import Identity, Permission
from approvals.http.operations import in_turns
from tests.support.http_site import As, api
from tests.support.inbox import FakeInbox, question

if TYPE_CHECKING:
    from approvals.http.operations import Operation

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)


@each_operation
def test_without_its_permission_it_is_forbidden(operation: Operation) -> None:
    """All the others together are not enough."""
    others = frozenset(Permission) - {operation.permission}
    inbox = FakeInbox(question("a-1"))

    async def main() -> None:
        who = As(Identity(name="bot", channel="api", permissions=others))
        async with api(inbox, authenticate=who, local=True) as (site, client):
            path = operation.path.replace("{id}", "a-1")
            reply = await client.ask(operation.method, path, {} if operation.body else None)
            assert (reply.status, reply.document["permission"]) == (403, operation.permission)
            (event,) = site.sink.events  # type: ignore[attr-defined]  # a list here
            assert (event.reason, event.reviewer) == ("forbidden", "bot")

    asyncio.run(main())


@each_operation
def test_another_site_can_not_use_it(operation: Operation) -> None:
    async def main() -> None:
        async with api(local=True) as (_, client):
            path = operation.path.replace("{id}", "a-1")
            for fields in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
                reply = await client.ask(
                    operation.method, path, {} if operation.body else None, fields=fields
                )
                assert (reply.status, reply.document["type"]) == (
                    403,
                    "urn:netproxy:problem:cross_site",
                )

    asyncio.run(main())


def test_long_lists_let_others_have_their_turn() -> None:
    async def main() -> int:
        made, turns = asyncio.ensure_future(in_turns(str, range(100))), 0  # awaited
        while not made.done():
            turns += 1
            await asyncio.sleep(0)
        assert made.result() == [str(number) for number in range(100)]
        return turns

    assert asyncio.run(main()) >= 4


def test_what_is_local_is_not_offered_elsewhere() -> None:
    local = [operation for operation in OPERATIONS if operation.only_local]

    async def main() -> None:
        async with api(local=False) as (_, client):
            for operation in local:
                path = operation.path.replace("{id}", "a-1")
                reply = await client.ask(operation.method, path, {} if operation.body else None)
                assert reply.status in {404, 405}, operation.name

    asyncio.run(main())
