"""The pages that show: what waits, one question's story, what holds, what was decided, how it is.

`add_pages` mounts them with everything behind them. They read; `answering` acts.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from approvals.errors import StoreUnavailable
from approvals.http.application import PROBLEM_PAGE
from approvals.http.problems import Problem
from approvals.http.site import SITE
from approvals.web import answering, door, stream, views, words
from approvals.web.door import DESK, page, visitor_of
from approvals.web.rendering import render

if TYPE_CHECKING:
    from approvals.http.site import Site
    from approvals.model import Record
    from approvals.web.door import Desk
    from approvals.web.views import Wanted
    from approvals.web.visitors import Visitor

# More than these nobody answers before the first of them are over, and a page stays quick.
_MOST_ROWS = 100
# What a page that was not told of an end can still look up: all that it shows may end at once.
_RECENT = _MOST_ROWS
_DECISIONS = 50
# How far back one request looks for decisions that fit.
_SCANNED = 1000

_STATIC = {
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "times.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def add_pages(app: web.Application, desk: Desk) -> None:
    """Mount the inbox."""
    app[DESK] = desk
    app[PROBLEM_PAGE] = door.problem_page
    app.add_routes(
        [
            web.get("/", inbox),
            web.get("/pending", pending),
            web.get("/events", stream.events),
            web.get("/approvals/{approval_id}", approval),
            web.get("/grants", grants),
            web.get("/decisions", decisions),
            web.get("/policy", policy),
            web.get("/health", health),
            web.get("/login", door.show_login),
            web.get("/static/{name}", static),
            web.post("/login", door.login),
            web.post("/sign-out", door.sign_out),
            web.post("/answers", answering.answer),
            web.post("/grants/{grant_id}/revoke", answering.revoke),
        ]
    )


async def inbox(request: web.Request) -> web.Response:
    """What waits."""
    visitor = visitor_of(request)
    site = request.app[SITE]
    site.presence.polled()
    return page(
        request, "inbox.html", visitor=visitor, ended=(), **await _standing(request, visitor)
    )


async def pending(request: web.Request) -> web.Response:
    """The same without a frame, for the page's own script."""
    visitor = visitor_of(request)
    site = request.app[SITE]
    site.presence.polled()
    ended: tuple[Record, ...] = ()
    with suppress(StoreUnavailable):  # then nobody is told who was faster, and all else goes on
        ended = await site.inbox.recent(limit=_RECENT)
    standing = await _standing(request, visitor)
    return page(request, "fragment.html", visitor=visitor, ended=ended, **standing)


async def approval(request: web.Request) -> web.Response:
    """One question with its story."""
    visitor = visitor_of(request)
    site, approval_id = request.app[SITE], request.match_info["approval_id"]
    story = await site.inbox.story(approval_id)
    if story is None:
        raise Problem(404, "unknown_approval", "there is no such approval")
    site.presence.polled()
    standing, grant, now = site.inbox.find(approval_id), story.grant, site.clock.wall()
    return page(
        request,
        "approval.html",
        visitor=visitor,
        now=now,
        record=story.record,
        place=views.place(story.record.question),
        mark=words.sign(story.record),
        row=None if standing is None else views.row(standing, now, request.app[DESK].policy_file),
        grant=grant,
        holds=grant is not None
        and grant.grant_id in {each.grant_id for each in site.inbox.grants()},
        timeline=views.timeline(story),
        earlier=story.earlier,
        first_seen=story.first_seen,
    )


async def grants(request: web.Request) -> web.Response:
    """What is remembered now."""
    visitor = visitor_of(request)
    return page(request, "grants.html", visitor=visitor, grants=request.app[SITE].inbox.grants())


async def decisions(request: web.Request) -> web.Response:
    """What was decided, newest first."""
    visitor = visitor_of(request)
    wanted = views.Wanted(
        host=request.query.get("host", "").strip(), outcome=request.query.get("outcome", "")
    )
    if wanted.outcome not in {"", *views.OUTCOMES}:
        raise Problem(422, "invalid", "there is no such outcome")
    found, before = await _recent(request.app[SITE], wanted, _time(request.query.get("before")))
    older = (
        ""
        if before is None
        else urlencode({"host": wanted.host, "outcome": wanted.outcome, "before": before})
    )
    return page(
        request,
        "decisions.html",
        visitor=visitor,
        wanted=wanted,
        outcomes=views.OUTCOMES,
        records=found,
        older=older,
    )


async def policy(request: web.Request) -> web.Response:
    """The rules in force."""
    visitor = visitor_of(request)
    lines = request.app[SITE].surroundings.policy()
    return page(request, "policy.html", visitor=visitor, lines=lines)


async def health(request: web.Request) -> web.Response:
    """How audit trail, store and reviewers are."""
    visitor = visitor_of(request)
    around = request.app[SITE].surroundings
    return page(
        request,
        "health.html",
        visitor=visitor,
        health=around.health(),
        sessions=around.sessions(),
    )


async def static(request: web.Request) -> web.Response:
    """Style, script and icon: known files only."""
    name = request.match_info["name"]
    kind = _STATIC.get(name)
    if kind is None:
        raise Problem(404, "not_found", "nothing is here")
    body = files("approvals.web").joinpath("static", name).read_bytes()
    return web.Response(body=body, content_type=kind, charset="utf-8")


async def _standing(request: web.Request, visitor: Visitor) -> dict[str, Any]:
    """What waits, drawn block by block: who is relayed in this loop doesn't wait for a page."""
    site, zone = request.app[SITE], request.app[DESK].zone
    now, every = site.clock.wall(), site.inbox.pending()
    drawn = []
    for block in views.blocks(every[:_MOST_ROWS], now, request.app[DESK].policy_file):
        text = render("block.html", zone, block=block, visitor=visitor, now=now)
        drawn.append(Markup(text))  # noqa: S704  # it comes out of a template, escaped
        await asyncio.sleep(0)
    return {
        "now": now,
        "count": len(every),
        "more": max(0, len(every) - _MOST_ROWS),
        "blocks": drawn,
    }


async def _recent(
    site: Site, wanted: Wanted, before: float | None
) -> tuple[tuple[Record, ...], float | None]:
    """Decisions that fit, and where to look on."""
    found: list[Record] = []
    for _ in range(_SCANNED // _DECISIONS):
        some = await site.inbox.recent(limit=_DECISIONS, before=before)
        found += [record for record in some if wanted.fits(record)]
        if len(some) < _DECISIONS:
            return tuple(found), None
        before = some[-1].ended_at
        if len(found) >= _DECISIONS:
            break
    return tuple(found), before


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise Problem(422, "invalid", "before is a time in seconds") from None
