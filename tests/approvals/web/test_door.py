"""Who gets in, and who is turned away, and what is on record of both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.http.rejections import MOST_STRANGERS
from tests.support.approvals import ListSink
from tests.support.web_visit import visit

if TYPE_CHECKING:
    from tests.support.web_visit import Visit


def sink(visited: Visit) -> ListSink:
    made = visited.site.sink
    assert isinstance(made, ListSink)
    return made


def test_a_link_signs_in_once_and_looking_at_it_burns_nothing() -> None:
    async def main() -> None:
        async with visit() as anna:
            url = anna.links.issue("anna").url
            path = url.removeprefix("http://127.0.0.1:1")
            for _ in range(3):  # scanners and previews
                shown = await anna.get(path)
                assert shown.status == 200
                assert b"Sign in on this browser" in shown.body
            code = [("code", url.partition("code=")[2])]
            first, second = await anna.post("/login", code), await anna.post("/login", code)
            assert (first.status, first.fields["location"]) == (303, "/")
            assert second.status == 401
            assert b"used already" in second.body
            assert sink(anna).names == ["reviewer.signed_in", "approval.review_rejected"]
            assert [event.name for event in sink(anna).synced] == ["netproxy.reviewer.signed_in"]
            assert not any(code[0][1] in line for line in anna.lines), "no code in the log"

    asyncio.run(main())


def test_the_cookie_is_for_this_browser_and_this_site_only() -> None:
    async def main() -> None:
        async with visit() as anna:
            cookie = (await anna.sign_in()).fields["set-cookie"]
            name, *attributes = cookie.split("; ")
            assert name.startswith(f"netproxy-{anna.client.port}=")
            assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}

    asyncio.run(main())


def test_behind_tls_the_cookie_says_so() -> None:
    async def main() -> None:
        async with visit(public_url="https://reviews.example.org") as anna:
            anna.fields["Host"] = "reviews.example.org"
            assert anna.links.issue("anna").url.startswith("https://reviews.example.org/login?")
            name, *attributes = (await anna.sign_in()).fields["set-cookie"].split("; ")
            assert name.startswith("__Host-netproxy=")
            assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}

    asyncio.run(main())


def test_who_signed_out_is_asked_to_sign_in() -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            assert (await anna.get("/")).status == 200
            out = await anna.post("/sign-out")
            assert out.status == 303
            assert "Max-Age=0" in out.fields["set-cookie"]
            again = await anna.get("/grants")
            assert again.status == 401
            assert b"netproxy approvals login" in again.body

    asyncio.run(main())


def test_the_eleventh_wrong_code_is_too_many_and_not_on_record() -> None:
    async def main() -> None:
        async with visit() as mallory:
            statuses = [(await mallory.post("/login", [("code", "x")])).status for _ in range(12)]
            assert statuses == [401] * 9 + [429] * 3
            assert len(sink(mallory).events) == 9

    asyncio.run(main())


def test_without_a_record_nobody_gets_in() -> None:
    async def main() -> None:
        async with visit() as anna:
            sink(anna).broken.add("*")
            code = anna.links.issue("anna").url.partition("code=")[2]
            refused = await anna.post("/login", [("code", code)])
            assert refused.status == 503
            assert "set-cookie" not in refused.fields
            # A rejection that can't be recorded is a rejection.
            assert (await anna.post("/login", [("code", "x")])).status == 401

    asyncio.run(main())


def test_another_sites_link_opens_the_page_for_who_is_signed_in() -> None:
    """SameSite=Strict keeps the cookie out of that first request: we ask once more from here."""

    async def main() -> None:
        async with visit() as anna:
            stranger = await anna.get("/approvals/a-1?x=1", Sec_Fetch_Site="cross-site")
            assert stranger.status == 401
            assert b'http-equiv="refresh" content="0; url=/approvals/a-1"' in stranger.body
            assert (
                b'http-equiv="refresh"'
                not in (await anna.get("/approvals/a-1", Sec_Fetch_Site="same-origin")).body
            )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"csrf=x", "text/plain", 415),
        (b"csrf=x", "application/json", 415),
        (b"csrf=%ff", "application/x-www-form-urlencoded", 422),
        (b"csrf=\xff", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 422),
        (b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", 422),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)
def test_what_is_no_form_of_ours_is_refused(body: bytes, kind: str, status: int) -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            fields = {"Content-Type": kind, "Cookie": anna.cookie, "Sec-Fetch-Site": "same-origin"}
            assert (await anna.client.ask("POST", "/answers", body, fields=fields)).status == status

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403, "forbidden"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "forbidden"),
        ({"Origin": "http://127.0.0.1:9"}, 403, "forbidden"),
        ({"Cookie": "netproxy=x"}, 401, "unauthenticated"),
    ],
)
def test_who_is_turned_away_is_on_record(fields: dict[str, str], status: int, reason: str) -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            sink(anna).events.clear()
            anna.fields = fields
            assert (await anna.post("/answers")).status == status
            (event,) = sink(anna).events
            assert event.name == "netproxy.approval.review_rejected"
            assert getattr(event, "reason", None) == reason

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/login", "/answers", "/sign-out", "/grants/g-1/revoke"])
def test_a_page_that_knocks_without_end_does_not_fill_the_journal(path: str) -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            sink(anna).events.clear()
            for _ in range(60):
                assert (await anna.post(path, Sec_Fetch_Site="cross-site")).status == 403
            assert len(sink(anna).events) == MOST_STRANGERS
            assert (await anna.post("/sign-out")).status == 303, "who is known is served"

    asyncio.run(main())


def test_a_forged_token_is_refused() -> None:
    async def main() -> None:
        async with visit() as anna, visit() as ben:
            await anna.sign_in()
            await ben.sign_in("ben")
            anna.csrf = ben.csrf
            refused = await anna.post("/sign-out")
            assert refused.status == 403
            assert b"open the page again" in refused.body

    asyncio.run(main())


def test_every_page_says_what_a_browser_may_do_with_it() -> None:
    async def main() -> None:
        async with visit() as anna:
            await anna.sign_in()
            paths = (
                "/",
                "/grants",
                "/decisions",
                "/policy",
                "/health",
                "/nothing",
                "/login?code=1",
            )
            for path in (*paths, "/pending", "/approvals/none", "/static/inbox.css"):
                fields = (await anna.get(path)).fields
                assert fields["cache-control"] == "no-store"
                assert fields["x-content-type-options"] == "nosniff"
                assert fields["referrer-policy"] == "no-referrer"
                assert fields["x-frame-options"] == "DENY"
                assert fields["cross-origin-opener-policy"] == "same-origin"
                assert fields["cross-origin-resource-policy"] == "same-origin"
                policy = dict(
                    part.split(" ", 1) for part in fields["content-security-policy"].split("; ")
                )
                assert policy["default-src"] == "'none'"
                assert policy["frame-ancestors"] == "'none'"
                assert policy["base-uri"] == "'none'"
                assert "unsafe" not in fields["content-security-policy"]

    asyncio.run(main())
