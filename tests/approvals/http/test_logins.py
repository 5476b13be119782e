"""A login link is made for who asks, where there are pages, on the control socket only."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from approvals.http.api import add_api
from approvals.http.application import make_application
from approvals.web.visitors import LoginCodes, LoginLinks
from tests.support.http_site import Reply, RunningClock, served, site


def ask(*, local: bool, has_pages: bool = True) -> tuple[Reply, LoginCodes]:
    async def main() -> tuple[Reply, LoginCodes]:
        codes, (made, _) = LoginCodes(RunningClock()), site()
        links = LoginLinks(codes, "http://127.0.0.1:8377/") if has_pages else None
        app = make_application(replace(made, logins=links))
        add_api(app, local=local)
        async with served(app) as client:
            reply = await client.ask("POST", "/v1/logins")
            if reply.status == 200:
                code = reply.document["url"].removeprefix("http://127.0.0.1:8377/login?code=")
                assert codes.redeem(code) == "anna"
            return reply, codes

    return asyncio.run(main())


def test_who_asks_gets_a_link_in_their_own_name() -> None:
    reply, _ = ask(local=True)
    assert reply.status == 200
    assert reply.document["expires_at"] == "2026-01-02T03:05:00.000Z"


def test_where_there_are_no_pages_it_says_how_to_have_some() -> None:
    reply, _ = ask(local=True, has_pages=False)
    assert reply.status == 503
    assert "--inbox" in reply.document["detail"]


def test_a_token_makes_no_links() -> None:
    """One would outlive the other."""
    reply, _ = ask(local=False)
    assert reply.status == 404
