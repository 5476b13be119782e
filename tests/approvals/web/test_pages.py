"""Each page shows what it is for, to who is signed in, with nothing that runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.model import Status, Verdict
from tests.support.approvals import answer, asking, grant
from tests.support.inbox import FakeInbox, question
from tests.support.pages import Page
from tests.support.web_visit import visit

if TYPE_CHECKING:
    from tests.support.web_visit import Visit

PAGES = (
    "/",
    "/pending",
    "/approvals/a-1",
    "/grants",
    "/decisions",
    "/policy",
    "/health",
    "/events",
)


async def text(visited: Visit, path: str) -> str:
    reply = await visited.get(path)
    assert reply.status == 200, path
    return Page(reply.body.decode()).text


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_to_strangers(path: str) -> None:
    async def main() -> None:
        async with visit(FakeInbox(question("a-1"))) as nobody:
            refused = await nobody.get(path)
            assert refused.status == 401
            assert b"pypi.org" not in refused.body

    asyncio.run(main())


def test_what_waits_is_shown_and_counts_as_seen() -> None:
    async def main() -> None:
        async with visit(FakeInbox(question("a-1"))) as anna:
            await anna.sign_in()
            shown = await text(anna, "/")
            for part in ("pypi.org", "port 443", "HTTPS tunnel", "pip install requests",
                         "no rule matches", "1 request waits", "15 min left"):  # fmt: skip
                assert part in shown
            assert anna.site.presence.anybody

    asyncio.run(main())


def test_a_flood_of_questions_does_not_make_a_flood_of_a_page() -> None:
    inbox = FakeInbox(*(question(f"a-{n}", asking(f"h{n}.example")) for n in range(130)))

    async def main() -> None:
        async with visit(inbox) as anna:
            await anna.sign_in()
            shown = await text(anna, "/")
            assert "h99.example" in shown
            assert "h100.example" not in shown
            assert "30 more wait behind these." in shown

    asyncio.run(main())


def test_one_question_with_its_story() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2"), question("a-3", asking("other.org")))
    inbox.resolve("a-1", Status.DENIED, replace(answer(Verdict.DENY), comment="not <that>"))
    inbox.hold(replace(grant(), approval_id="a-2"))

    async def main() -> None:
        async with visit(inbox) as anna:
            await anna.sign_in()
            over = await text(anna, "/approvals/a-1")
            assert "denied by anna (fake)" in over
            assert "not <that>" in over
            assert "Allow once" not in over
            open_one = await text(anna, "/approvals/a-2")
            for part in ("/home/anna/project", "--allow https://pypi.org:443", "a-2", "Always deny",
                         "Earlier decisions about this host", "It holds now."):  # fmt: skip
                assert part in open_one
            assert "never asked about before" not in open_one
            assert "never asked about before" in await text(anna, "/approvals/a-3")
            assert (await anna.get("/approvals/a-9")).status == 404

    asyncio.run(main())


def test_decisions_are_filtered_and_paged() -> None:
    inbox = FakeInbox(*(question(f"a-{n}", asking(f"h{n}.example")) for n in range(120)))
    for number in range(120):
        verdict = Verdict.ALLOW if number % 2 else Verdict.DENY
        inbox.resolve(f"a-{number}", Status.DENIED, answer(verdict))

    async def main() -> None:
        async with visit(inbox) as anna:
            await anna.sign_in()
            newest = await text(anna, "/decisions")
            assert "h119.example" in newest
            assert "h69.example" not in newest
            assert "Older ones" in newest
            found = await text(anna, "/decisions?host=H7.EX&outcome=allowed")
            assert "h7.example" in found
            assert "h119.example" not in found
            assert "None." in await text(anna, "/decisions?host=h7.ex&outcome=denied")
            last = inbox.ended[20].ended_at
            oldest = await text(anna, f"/decisions?before={last}")
            assert "h19.example" in oldest
            assert "Older ones" not in oldest
            for wrong in ("outcome=odd", "before=x"):
                assert (await anna.get(f"/decisions?{wrong}")).status == 422

    asyncio.run(main())


def test_policy_and_health_are_what_the_gateway_says() -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            assert "allow https://pypi.org:443" in await text(anna, "/policy")
            health = await text(anna, "/health")
            assert "journal" in health
            assert "pip install" in health

    asyncio.run(main())


def test_what_was_decided_is_told_to_an_open_page_even_without_a_stream() -> None:
    inbox = FakeInbox(question("a-1"), question("a-2", asking("two.example")))
    inbox.resolve("a-1", Status.DENIED, answer(Verdict.DENY))

    async def main() -> None:
        async with visit(inbox) as anna:
            await anna.sign_in()
            fragment = (await anna.get("/pending")).body.decode()
            assert '<li data-ended="a-1">denied by anna (fake)</li>' in fragment
            inbox.broken = StoreUnavailable("gone")
            assert "two.example" in await text(anna, "/pending")
            assert (await anna.get("/decisions")).status == 503

    asyncio.run(main())


@pytest.mark.parametrize("name", ["inbox.css", "inbox.js", "times.js", "icon.svg"])
def test_files_are_served_as_what_they_are(name: str) -> None:
    async def main() -> None:
        async with visit() as anybody:
            reply = await anybody.get(f"/static/{name}")
            assert reply.status == 200
            kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
            assert reply.fields["content-type"].startswith(kinds[name.partition(".")[2]])

    asyncio.run(main())


@pytest.mark.parametrize(
    "name", ["", "../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "pages.py", "inbox.css%00"]
)
def test_no_other_file_is_served(name: str) -> None:
    async def main() -> None:
        async with visit() as anybody:
            assert (await anybody.get(f"/static/{name}")).status in {400, 404}

    asyncio.run(main())
