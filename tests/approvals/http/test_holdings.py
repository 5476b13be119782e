from __future__ import annotations

import asyncio

from tests.support.approvals import grant
from tests.support.http_site import api
from tests.support.inbox import FakeInbox


def test_grants_are_listed_and_revoked_with_a_word() -> None:
    inbox = FakeInbox()
    inbox.hold(grant())

    async def main() -> None:
        async with api(inbox) as (_, client):
            (told,) = (await client.ask("GET", "/v1/grants")).document["grants"]
            assert (told["destination"], told["scope"]) == ("https://pypi.org:443", "session")
            why = {"comment": "a mistake"}
            done = await client.ask("POST", "/v1/grants/g-1/revocations", why)
            assert (done.status, done.document["grant_id"]) == (200, "g-1")
            assert (await client.ask("DELETE", "/v1/grants/g-1")).status == 404

    asyncio.run(main())
    assert inbox.revoked == [("g-1", "anna", "api", "a mistake")]


def test_a_grant_is_deleted_without_a_word() -> None:
    inbox = FakeInbox()
    inbox.hold(grant())

    async def main() -> None:
        async with api(inbox) as (_, client):
            assert (await client.ask("DELETE", "/v1/grants/g-1")).status == 200

    asyncio.run(main())
    assert inbox.revoked == [("g-1", "anna", "api", None)]


def test_what_surrounds_the_questions() -> None:
    async def main() -> None:
        async with api() as (site, client):
            sessions = (await client.ask("GET", "/v1/sessions")).document["sessions"]
            assert [each["session"] for each in sessions] == ["s-1"]
            policy = (await client.ask("GET", "/v1/policy")).document
            assert policy == {"lines": ["allow https://pypi.org:443"]}
            health = (await client.ask("GET", "/v1/health")).document
            assert health == {"reviewers": False, "parts": {"status": "ok", "journal": "ok"}}
            with site.presence.attached():
                assert (await client.ask("GET", "/v1/health")).document["reviewers"] is True

    asyncio.run(main())
