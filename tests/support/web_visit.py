"""A visit of the inbox without a browser: each field as a test wants it."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from approvals.http.application import make_application
from approvals.http.hosts import Hosts
from approvals.web.door import Desk
from approvals.web.pages import add_pages
from approvals.web.visitors import LoginCodes, LoginLinks, Visitors
from tests.support.http_site import served, site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from approvals.http.site import Site
    from tests.support.http_site import Client, Reply
    from tests.support.inbox import FakeInbox

SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Visit:
    """One browser, as far as the inbox can tell."""

    client: Client
    site: Site
    links: LoginLinks
    lines: list[str]
    cookie: str = ""
    csrf: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **fields: str) -> Reply:
        return await self.client.ask("GET", path, fields=self._fields(fields))

    async def post(self, path: str, form: Sequence[tuple[str, str]] = (), **fields: str) -> Reply:
        """What a form of ours sends, with whatever else a test says."""
        body = urlencode([("csrf", self.csrf), *form] if self.csrf else form).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.client.ask(
            "POST", path, body, fields={**kind, **SAME, **self._fields(fields)}
        )

    async def sign_in(self, name: str = "anna") -> Reply:
        code = self.links.issue(name).url.partition("code=")[2]
        reply = await self.post("/login", [("code", code)])
        self.cookie = reply.fields["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.get("/")).body.decode())
        assert found is not None
        self.csrf = found[1]
        return reply

    def _fields(self, fields: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return {**({"Cookie": self.cookie} if self.cookie else {}), **self.fields, **named}


@asynccontextmanager
async def visit(
    inbox: FakeInbox | None = None, *, public_url: str | None = None
) -> AsyncIterator[Visit]:
    made, lines = site(inbox=inbox, hosts=Hosts(public_url=public_url))
    app = make_application(made)
    desk = Desk(
        visitors=Visitors(made.clock),
        codes=LoginCodes(made.clock),
        public_url=public_url,
        policy_file="/home/anna/config.toml",
        beat_seconds=0.1,
        look_seconds=0.02,
    )
    add_pages(app, desk)
    links = LoginLinks(desk.codes, public_url or "http://127.0.0.1:1")
    async with served(app) as client:
        yield Visit(client, made, links, lines)
