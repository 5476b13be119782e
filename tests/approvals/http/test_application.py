"""What holds for every request, whoever mounted what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from approvals.errors import StoreUnavailable
from approvals.http import application
from approvals.http.application import (
    CLOSING,
    PROBLEM_PAGE,
    body_of,
    make_application,
    refuse_other_sites,
)
from approvals.http.problems import Problem
from tests.support.fair_clock import FairClock
from tests.support.http_site import Client, Reply, served, site

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def hello(_: web.Request) -> web.Response:
    return web.json_response({"hello": "there"})


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await body_of(request))


async def little(request: web.Request) -> web.Response:
    return web.Response(body=await body_of(request, limit_bytes=10))


async def ours(request: web.Request) -> web.Response:
    refuse_other_sites(request)
    return web.Response(text="ok")


async def bug(_: web.Request) -> web.Response:
    raise ZeroDivisionError("a secret of ours")


async def no_store(_: web.Request) -> web.Response:
    raise StoreUnavailable("disk full")


async def teapot(_: web.Request) -> web.Response:
    raise Problem(418, "teapot", "short and stout")


def asked(
    talk: Callable[[Client], Coroutine[None, None, None]],
    *,
    pages: bool = False,
) -> list[str]:
    made, lines = site()
    app = make_application(made)
    app.router.add_get("/v1/hello", hello)
    app.router.add_post("/v1/echo", echo)
    app.router.add_post("/v1/little", little)
    app.router.add_post("/v1/ours", ours)
    app.router.add_get("/v1/bug", bug)
    app.router.add_get("/v1/store", no_store)
    app.router.add_get("/teapot", teapot)
    if pages:

        async def page(_: web.Request, problem: Problem) -> web.Response:
            return web.Response(text=f"<p>{problem.detail}", content_type="text/html")

        app[PROBLEM_PAGE] = page

    async def main() -> None:
        async with served(app) as client:
            await talk(client)

    asyncio.run(main())
    return lines


def test_every_answer_is_hardened_and_named() -> None:
    async def talk(client: Client) -> None:
        for reply in (await client.ask("GET", "/v1/hello"), await client.ask("GET", "/v1/none")):
            assert reply.fields["cache-control"] == "no-store"
            assert reply.fields["x-content-type-options"] == "nosniff"
            assert reply.fields["referrer-policy"] == "no-referrer"
            assert reply.fields["x-frame-options"] == "DENY"
            assert reply.fields["cross-origin-resource-policy"] == "same-origin"
            assert reply.fields["cross-origin-opener-policy"] == "same-origin"
            assert "default-src 'none'" in reply.fields["content-security-policy"]
            assert reply.fields["x-request-id"].startswith("q-")
            assert "server" not in reply.fields
            assert "access-control-allow-origin" not in reply.fields

    asked(talk)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/none", 404, "not_found"),
        ("POST", "/v1/hello", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/hello", 405, "method_not_allowed"),
        ("GET", "/v1/store", 503, "store_unavailable"),
        ("GET", "/v1/bug", 500, "internal"),
        ("GET", "http://evil.test/v1/hello", 400, "bad_request"),
        ("GET", "/v1/../v1/%2e%2e/etc/passwd", 404, "not_found"),
    ],
)
def test_refusals_are_problem_documents(method: str, path: str, status: int, code: str) -> None:
    async def talk(client: Client) -> None:
        reply = await client.ask(method, path)
        assert reply.status == status
        assert reply.fields["content-type"].startswith("application/problem+json")
        assert reply.document["type"] == f"urn:netproxy:problem:{code}"
        assert reply.document["status"] == status
        assert reply.document["instance"].endswith(reply.fields["x-request-id"])
        assert "secret" not in reply.body.decode()

    asked(talk)


def test_our_mistakes_are_told_to_the_log_only() -> None:
    async def talk(client: Client) -> None:
        await client.ask("GET", "/v1/bug")

    lines = asked(talk)
    assert any("ZeroDivisionError: a secret of ours" in line for line in lines)


def test_each_request_is_a_line_without_its_query() -> None:
    async def talk(client: Client) -> None:
        await client.ask("GET", "/v1/hello?token=npx_secret")

    (line,) = asked(talk)
    assert line.startswith("GET /v1/hello 200 ")
    assert "secret" not in line


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "evil.test"}, 421),
        ({"Host": ""}, 421),
    ],
)
def test_only_our_own_names_are_answered(fields: dict[str, str], status: int) -> None:
    async def talk(client: Client) -> None:
        assert (await client.ask("GET", "/v1/hello", fields=fields)).status == status

    asked(talk)


def test_without_a_name_nothing_is_answered() -> None:
    async def talk(client: Client) -> None:
        bare = await client.raw(b"GET /v1/hello HTTP/1.0\r\n\r\n")
        assert bare.status == 421
        two = b"GET /v1/hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n"
        assert (await client.raw(two)).status == 400

    asked(talk)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_other_sites_are_refused_where_that_is_asked(fields: dict[str, str], status: int) -> None:
    async def talk(client: Client) -> None:
        assert (await client.ask("POST", "/v1/ours", {}, fields=fields)).status == status
        here = {"Origin": f"http://127.0.0.1:{client.port}"}
        assert (await client.ask("POST", "/v1/ours", {}, fields=here)).status == 200

    asked(talk)


def test_bodies_are_bounded() -> None:
    async def talk(client: Client) -> None:
        whole = await client.ask("POST", "/v1/echo", b"x" * application.BODY_BYTES)
        assert (whole.status, len(whole.body)) == (200, application.BODY_BYTES)
        declared = await client.ask("POST", "/v1/echo", b"x" * (application.BODY_BYTES + 1))
        assert declared.status == 413
        chunks = b"%x\r\n" % 70_000 + b"x" * 70_000 + b"\r\n0\r\n\r\n"
        chunked: Reply = await client.raw(
            b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunks
        )
        assert chunked.status == 413
        few = b"b\r\n12345678901\r\n0\r\n\r\n"
        head = b"POST /v1/little HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await client.raw(head + few)).status == 413

    asked(talk)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "BODY_SECONDS", 0.05)

    async def talk(client: Client) -> None:
        head = b"POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhal"
        assert (await client.raw(head)).status == 408

    asked(talk)


def test_pages_word_their_own_refusals_and_the_api_keeps_its() -> None:
    async def talk(client: Client) -> None:
        assert (await client.ask("GET", "/teapot")).body == b"<p>short and stout"
        api = await client.ask("GET", "/v1/none")
        assert api.fields["content-type"].startswith("application/problem+json")

    asked(talk, pages=True)


def test_streams_end_with_the_service() -> None:
    made, _ = site()
    app = make_application(made)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await request.app[CLOSING].wait()
        return response

    app.router.add_get("/v1/stream", stream)

    async def main() -> float:
        async with served(app) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"begun" in await reader.readuntil(b"begun")
            clock = FairClock()
        writer.close()
        return clock()

    assert asyncio.run(main()) < 0.5
