"""The application factory: what holds for every request, whatever is mounted.

Order: id and log, refusals as documents, names under which we may be asked, then the handler. Who
speaks is the handler's business: the API asks for tokens, pages for a session, webhooks' replies
for a signature.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import web

from approvals.errors import ApprovalError
from approvals.http.problems import Problem, problem_of
from approvals.http.site import SITE, Site
from otel import new_id, visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

    type ProblemPage = Callable[[web.Request, Problem], Awaitable[web.StreamResponse]]

# The longest thing that anybody says to us is a group's answers: 64 of them, below 1 kB each.
BODY_BYTES = 64 * 1024
# A client on this host sends its body at once; whoever doesn't holds a connection and nothing else.
BODY_SECONDS = 5.0

REQUEST_ID = web.RequestKey("request_id", str)
IDENTITY_NAME = web.RequestKey("identity_name", str)
# Set when the service ends: streams end then, and don't hold it up.
CLOSING = web.AppKey("closing", asyncio.Event)
# How pages word refusals of requests that are not the API's. Whoever mounts pages sets it.
PROBLEM_PAGE: web.AppKey[ProblemPage] = web.AppKey("problem_page")

# What a browser must not do with an answer of ours. Pages narrow or widen their own beforehand.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_application(site: Site) -> web.Application:
    """An application that answers nothing yet: mount on it, then serve it."""
    app = web.Application(
        middlewares=[_told, _refused_in_words, _asked_by_name], client_max_size=BODY_BYTES
    )
    app[SITE] = site
    app[CLOSING] = asyncio.Event()
    app.on_response_prepare.append(_harden)
    app.on_shutdown.append(_end_streams)
    return app


async def body_of(request: web.Request, *, limit_bytes: int = BODY_BYTES) -> bytes:
    """The whole body. Raises `Problem` 408 or 413."""
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise Problem(408, "too_slow", "the body did not come in time") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit_bytes) from None
    if len(body) > limit_bytes:
        raise _too_large(limit_bytes)
    return body


def refuse_other_sites(request: web.Request) -> None:
    """Refuse what a browser sends for a page that is not ours. Raises `Problem` 403.

    Sec-Fetch-Site is the browser's own word and can't be set by pages; Origin is there in older
    ones. A request of no browser has neither.
    """
    hosts = request.app[SITE].hosts
    origin, fetched = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if fetched not in {None, "same-origin", "none"}:
        raise Problem(403, "cross_site", "another site sent this")
    if origin is not None and not (hosts and hosts.sent(origin, request.headers.get("Host", ""))):
        raise Problem(403, "cross_site", "another site sent this")


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, and log how it went. Queries and bodies are not logged."""
    request[REQUEST_ID] = request_id = new_id("q")
    began, status = perf_counter(), 500
    try:
        response = await handler(request)
        status = response.status
    finally:
        took = round((perf_counter() - began) * 1000)
        who = request.get(IDENTITY_NAME, "-")
        what = f"{request.method} {visible(request.rel_url.raw_path, limit=200)}"
        request.app[SITE].log(f"{what} {status} {took} ms {visible(who)} {request_id}")
    return response


@web.middleware
async def _refused_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever was raised into a document, and say nothing of our inside."""
    try:
        return await handler(request)
    except Problem as problem:
        found = problem
    except ApprovalError as error:
        found = problem_of(error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        found = _routing_problem(error)
    except ConnectionResetError:
        raise
    except Exception as error:  # noqa: BLE001  # a request's root: a bug of ours is nobody's reading
        name = type(error).__name__
        request.app[SITE].report(f"netproxy: {request[REQUEST_ID]} failed: {name}: {error}")
        found = Problem(500, "internal", "this could not be done; the log says why")
    page = request.app.get(PROBLEM_PAGE)
    if page is not None and not request.path.startswith("/v1/"):
        return await page(request, found)
    return web.json_response(
        found.document(request[REQUEST_ID]),
        status=found.status,
        headers=found.headers,
        content_type="application/problem+json",
    )


@web.middleware
async def _asked_by_name(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only to our own names, and to requests for a path."""
    hosts, named = request.app[SITE].hosts, request.headers.getall("Host", [])
    if not request.raw_path.startswith("/") or len(named) > 1:
        raise Problem(400, "bad_request", "a request names a path, and one host")
    if hosts is not None and not (named and hosts.serve(named[0])):
        raise Problem(421, "misdirected", "this service is not offered under that name")
    return await handler(request)


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    del response.headers["Server"]


async def _end_streams(app: web.Application) -> None:
    app[CLOSING].set()


def _routing_problem(error: web.HTTPException) -> Problem:
    """What the router refuses: paths and methods that nobody mounted."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        what = "that method is not for this path"
        return Problem(405, "method_not_allowed", what, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        return Problem(404, "not_found", "nothing is here")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return _too_large(BODY_BYTES)
    return Problem(error.status, "refused", HTTPStatus(error.status).phrase.lower())


def _too_large(limit_bytes: int) -> Problem:
    return Problem(413, "too_large", f"the body is longer than {limit_bytes} bytes")
