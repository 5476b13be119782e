"""The feed of changes as an endless answer: server-sent events, or a JSON line for each change.

Whoever reads it and may answer questions is a reviewer who is there. A reader whose token is
revoked meanwhile, or who has left, is not served for long.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING

from aiohttp import web

from approvals.http.application import CLOSING
from approvals.http.documents import change_document
from approvals.http.identity import Permission
from approvals.http.operations import identify
from approvals.http.problems import Problem, invalid
from approvals.http.site import SITE

if TYPE_CHECKING:
    from approvals.model import Change
    from approvals.ports import Inbox

# How soon it is seen that a reader has left.
_LOOK_SECONDS = 1.0
# Proxies give up on silence (nginx: 60 s); permissions are looked at again as often.
_SIGN_OF_LIFE_SECONDS = 15.0
# A reader that takes nothing for that long is not there.
_WRITE_SECONDS = 10.0
# What a slow reader may be behind before the inbox tells it to look at everything anew.
_QUEUED = 16
# How soon a browser comes back after a cut.
_RETRY = b"retry: 2000\n\n"
_LARGEST = 2**63 - 1

_SSE, _LINES = "text/event-stream", "application/x-ndjson"


async def stream_changes(request: web.Request) -> web.StreamResponse:
    """Answer until the reader leaves or the service ends."""
    identity = await identify(request, Permission.READ)
    site, after = request.app[SITE], _after(request)
    as_events = _SSE in request.headers.get("Accept", "")
    response = web.StreamResponse(headers={"Content-Type": _SSE if as_events else _LINES})
    response.force_close()
    is_reviewer = identity.may(Permission.DECIDE)
    queue: asyncio.Queue[Change | None] = asyncio.Queue(_QUEUED)
    with site.presence.attached() if is_reviewer else nullcontext():
        await response.prepare(request)
        await response.write(_RETRY if as_events else b"\n")
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(_pump(site.inbox, after, queue)),
                group.create_task(_end(request.app[CLOSING], queue)),
            )
            try:
                await _pour(request, response, queue, as_events=as_events)
            except (ConnectionError, TimeoutError, Problem):
                pass  # gone, stuck, or not allowed any more: the connection ends here
            finally:
                for task in tasks:
                    task.cancel()
    return response


async def _pump(inbox: Inbox, after: int | None, queue: asyncio.Queue[Change | None]) -> None:
    async for change in inbox.changes(after):
        await queue.put(change)


async def _end(closing: asyncio.Event, queue: asyncio.Queue[Change | None]) -> None:
    await closing.wait()
    await queue.put(None)


async def _pour(
    request: web.Request,
    response: web.StreamResponse,
    queue: asyncio.Queue[Change | None],
    *,
    as_events: bool,
) -> None:
    loop = asyncio.get_running_loop()
    looked = loop.time()
    while request.transport is not None and not request.transport.is_closing():
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                change = await queue.get()
        except TimeoutError:
            data = b""
        else:
            if change is None:
                return
            data = _line(change, as_events=as_events)
        if loop.time() - looked >= _SIGN_OF_LIFE_SECONDS:
            looked = loop.time()
            await identify(request, Permission.READ)
            data += b": \n\n" if as_events else b"\n"
        if data:
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.write(data)


def _line(change: Change, *, as_events: bool) -> bytes:
    text = change_document(change).model_dump_json().encode()
    if not as_events:
        return text + b"\n"
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (change.number, change.kind.encode(), text)


def _after(request: web.Request) -> int | None:
    """Where the reader was: in the query, or where a browser says it by itself."""
    text = request.query.get("after", request.headers.get("Last-Event-ID"))
    if text is None or not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST):  # noqa: PLR2004  # digits of 2**63
        raise invalid("after", "is the number of a change")
    return int(text)
