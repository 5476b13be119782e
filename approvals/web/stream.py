"""Server-sent events: tells an open page that something changed, and it looks again.

Carries no text of anybody's, so that nothing has to be escaped twice: what changed is fetched as a
page. Ids are the numbers of the feed; a browser that comes back names the last one it saw.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

from aiohttp import web

from approvals.http.application import CLOSING
from approvals.http.problems import Problem
from approvals.http.site import SITE
from approvals.web.door import DESK, visitor_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from approvals.model import Change

# How soon a browser comes back after a loss.
_RETRY_MS = 2000
# A feed number of ours.
_DIGITS = 18


async def events(request: web.Request) -> web.StreamResponse:
    """Stream changes until the page, its session or the gateway is gone."""
    visitor_of(request)
    site, after = request.app[SITE], _last_seen(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    opened = asyncio.Event()
    with site.presence.attached():
        try:
            async with asyncio.TaskGroup() as tasks:
                pump = tasks.create_task(_pump(site.inbox.changes(after), response, opened))
                # It listens before the page knows, so that nothing gets lost between the page's
                # own look, which follows the answer's head, and the first change.
                await asyncio.sleep(0)
                await response.prepare(request)
                await response.write(f"retry: {_RETRY_MS}\n\n".encode())
                opened.set()
                await _watch(request, response)
                pump.cancel()
        except* (ConnectionResetError, BrokenPipeError):
            pass  # the page is gone
    return response


async def _pump(
    feed: AsyncIterator[Change], response: web.StreamResponse, opened: asyncio.Event
) -> None:
    async with aclosing(_closable(feed)) as changes:
        async for change in changes:
            await opened.wait()
            await response.write(as_event(change))


async def _watch(request: web.Request, response: web.StreamResponse) -> None:
    """Speak now and then, and return when there is nobody left to speak to."""
    desk, closing, silent = request.app[DESK], request.app[CLOSING], 0.0
    while not closing.is_set() and request.transport is not None:
        try:
            async with asyncio.timeout(desk.look_seconds):
                await closing.wait()
        except TimeoutError:
            silent += desk.look_seconds
        try:
            visitor_of(request)
        except Problem:
            await response.write(b"event: signed-out\ndata: {}\n\n")
            return
        if silent >= desk.beat_seconds:
            silent = 0.0
            await response.write(b"event: beat\ndata: {}\n\n")


def as_event(change: Change) -> bytes:
    """One change on the wire."""
    data = json.dumps({"kind": change.kind, "ref": change.ref})
    return f"id: {change.number}\nevent: change\ndata: {data}\n\n".encode()


def _last_seen(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


def _closable(feed: AsyncIterator[Change]) -> AsyncGenerator[Change]:
    return feed  # type: ignore[return-value]  # an iterator that can be closed, as the port says
