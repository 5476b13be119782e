"""The pages that show: what waits, one question's story, what holds, what was decided, how it is.

`add_pages` mounts them with everything behind them. They read; `answering` acts.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aiohttp import web

from approvals.errors import StoreUnavailable
from approvals.http.application import PROBLEM_PAGE
from approvals.http.problems import Problem
from approvals.http.site import SITE
from approvals.web import answering, door, stream, views, words
from approvals.web.door import DESK, Desk, page, visitor_of
from approvals.web.visitors import LoginCodes, Visitors

if TYPE_CHECKING:
    from approvals.http.site import Site
    from approvals.model import Record
    from approvals.web.views import Wanted

# More than these nobody answers before the first of them are over, and a page stays quick.
_MOST_ROWS = 100
# What a page that was not told of an end can still look up.
_RECENT = 64
_DECISIONS = 50
# How far back one request looks for decisions that fit.
_SCANNED = 1000

_STATIC = {
    "inbox.css": "text/css",
    "inbox.js": "text/javascript",
    "times.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLink:
    """One way in, for one browser, soon."""

    url: str
    expires_at: float  # seconds since the epoch


class LoginLinks:
    """Makes login links: for the terminal that asks on the control socket, and for the start."""

    def __init__(self, codes: LoginCodes, base_url: str) -> None:
        """`base_url`: where a browser finds the inbox, without a path."""
        self._codes = codes
        self._base_url = base_url.rstrip("/")

    def issue(self, name: str) -> LoginLink:
        """A link for this reviewer."""
        code, expires_at = self._codes.issue(name)
        return LoginLink(url=f"{self._base_url}/login?code={quote(code)}", expires_at=expires_at)


def add_pages(
    app: web.Application, *, base_url: str, public_url: str | None = None, desk: Desk | None = None
) -> LoginLinks:
    """Mount the inbox. Returns what signs people in.

    `public_url`: under which a reverse proxy offers it; where there is none, `base_url` is it.
    """
    clock = app[SITE].clock
    made = desk or Desk(visitors=Visitors(clock), codes=LoginCodes(clock), public_url=public_url)
    app[DESK] = made
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
    return LoginLinks(made.codes, public_url or base_url)


async def inbox(request: web.Request) -> web.Response:
    """What waits."""
    visitor = visitor_of(request)
    site = request.app[SITE]
    site.presence.polled()
    return page(request, "inbox.html", visitor=visitor, ended=(), **_standing(site))


async def pending(request: web.Request) -> web.Response:
    """The same without a frame, for the page's own script."""
    visitor = visitor_of(request)
    site = request.app[SITE]
    site.presence.polled()
    ended: tuple[Record, ...] = ()
    with suppress(StoreUnavailable):  # then nobody is told who was faster, and all else goes on
        ended = await site.inbox.recent(limit=_RECENT)
    return page(request, "fragment.html", visitor=visitor, ended=ended, **_standing(site))


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
        row=None if standing is None else views.row(standing, now),
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


def _standing(site: Site) -> dict[str, Any]:
    now, every = site.clock.wall(), site.inbox.pending()
    shown = every[:_MOST_ROWS]
    return {
        "now": now,
        "count": len(every),
        "more": len(every) - len(shown),
        "blocks": views.blocks(shown, now),
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
