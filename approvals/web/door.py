"""Who is at the browser: sessions on every page, own forms only for what changes something.

Nothing here or behind it changes anything by GET, so a link carries no authority: one that opens a
page opens it for whoever is signed in, and a login link shows a button first. Scanners and
previews that fetch links burn nothing.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

from approvals.http.application import IDENTITY_NAME, body_of
from approvals.http.problems import Problem
from approvals.http.rejections import Strangers, record_rejection
from approvals.http.site import SITE
from approvals.model import Rejection
from approvals.web.origins import Here, here, is_own_form, is_strangers_link
from approvals.web.rendering import render
from approvals.web.visitors import LoginCodes, Visitor, Visitors, same
from otel import AuditUnavailable
from otel.events import ReviewerSignedIn
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

CHANNEL = "web"
_FORM = "application/x-www-form-urlencoded"
# A group's answers: one field for each of the most questions that a session may have open.
_MOST_FIELDS = 256
# What a page of ours may do in a browser: load its style and script from here, talk to here, post
# to here, be framed nowhere. No inline script, style or handler runs, whatever got into a page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_OUT = (
    "Pages open only for who signed in on this browser with a link from the terminal.",
    "To get one, type this where the gateway runs:",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all pages of one application share."""

    visitors: Visitors
    codes: LoginCodes
    public_url: str | None
    policy_file: str  # that an answer for always becomes a rule of
    zone: tzinfo | None = None  # that times are told in without JavaScript; None: this host's
    # Proxies between keep a connection that speaks this often; a page that hears less isn't live.
    beat_seconds: float = 15.0
    # How soon a page that is gone isn't counted as a reader, and the end of a session is noticed.
    look_seconds: float = 1.0
    strangers: Strangers = field(default_factory=Strangers)


DESK = web.AppKey("desk", Desk)

type Form = Mapping[str, tuple[str, ...]]


def page(
    request: web.Request, name: str, *, status: HTTPStatus | int = 200, **values: object
) -> web.Response:
    """A filled template. `visitor` among the values: who is signed in."""
    named = {"visitor": None, "here": request.path} | values
    text = render(name, request.app[DESK].zone, **named)
    policy = {"Content-Security-Policy": _POLICY}
    return web.Response(text=text, status=status, content_type="text/html", headers=policy)


def visitor_of(request: web.Request) -> Visitor:
    """Who is signed in. Raises `Problem` 401."""
    cookie = request.cookies.get(_here(request).cookie)
    visitor = request.app[DESK].visitors.find(cookie)
    if visitor is None:
        raise Problem(401, "signed_out", "nobody is signed in on this browser")
    request[IDENTITY_NAME] = visitor.name
    return visitor


async def form_of(request: web.Request) -> tuple[Form, Visitor]:
    """What one of our own pages posts, and for whom. Raises `Problem` 401, 403, 413, 415, 422."""
    _check_sender(request)
    try:
        visitor = visitor_of(request)
    except Problem:
        _reject(request, Rejection.UNAUTHENTICATED)
        raise
    form = await _fields(request)
    if not same(one(form, "csrf"), visitor.csrf):
        sink = request.app[SITE].sink
        record_rejection(sink, Rejection.FORBIDDEN, channel=CHANNEL, reviewer=visitor.name)
        raise Problem(403, "forged", "this form is not from this session: open the page again")
    return form, visitor


def one(form: Form, name: str) -> str:
    """The only value of a field; empty where it is missing. Raises `Problem` 422 for several."""
    values = form.get(name, ("",))
    if len(values) > 1:
        raise Problem(422, "invalid", f"{name} was given more than once")
    return values[0]


async def show_login(request: web.Request) -> web.Response:
    """What a login link opens: a button, and nothing has happened yet."""
    return page(
        request,
        "login.html",
        title="Sign in",
        texts=("This link works once, for five minutes from when the terminal showed it.",),
        code=request.query.get("code", ""),
        command=False,
        follow="",
    )


async def login(request: web.Request) -> web.StreamResponse:
    """Redeem a code."""
    _check_sender(request)
    desk, site = request.app[DESK], request.app[SITE]
    code = one(await _fields(request), "code")
    name = desk.codes.redeem(code)
    if name is None:
        if desk.codes.too_many_wrong:
            wait = {"Retry-After": "60"}
            raise Problem(429, "too_many", "too many wrong codes: wait a minute", headers=wait)
        _reject(request, Rejection.UNAUTHENTICATED)
        raise Problem(401, "wrong_code", "this link was used already, or is too old")
    try:
        site.sink.record_synced(ReviewerSignedIn(reviewer=name, channel=CHANNEL))
    except AuditUnavailable:
        raise Problem(503, "audit_unavailable", "the audit trail takes no records now") from None
    response = web.Response(status=303, headers={"Location": "/"})
    place = _here(request)
    response.set_cookie(
        place.cookie,
        desk.visitors.admit(name),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=place.secure,
    )
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """End the session."""
    await form_of(request)
    place = _here(request)
    request.app[DESK].visitors.dismiss(request.cookies[place.cookie])
    response = web.Response(status=303, headers={"Location": "/"})
    response.del_cookie(place.cookie, path="/", secure=place.secure, samesite="Strict")
    return response


async def problem_page(request: web.Request, problem: Problem) -> web.StreamResponse:
    """What a browser shows instead of a problem document."""
    response = _signed_out(request) if problem.code == "signed_out" else _said(request, problem)
    response.headers.update(problem.headers)
    return response


def _signed_out(request: web.Request) -> web.Response:
    """The way in. From another site's link the cookie only comes with the next request."""
    follow = ""
    if is_strangers_link(request.headers.get("Sec-Fetch-Site")) and request.method == "GET":
        follow = str(request.rel_url.with_query(None))
    return page(
        request,
        "login.html",
        status=HTTPStatus.UNAUTHORIZED,
        title="One moment" if follow else "Sign in",
        texts=() if follow else _OUT,
        code="",
        command=not follow,
        follow=follow,
    )


def _said(request: web.Request, problem: Problem) -> web.Response:
    return page(
        request,
        "outcome.html",
        status=problem.status,
        title=HTTPStatus(problem.status).phrase,
        texts=(f"{problem.detail[:1].upper()}{problem.detail[1:]}.",),
        lines=(),
    )


def _here(request: web.Request) -> Here:
    return here(request.headers.get("Host", ""), request.app[DESK].public_url)


def _check_sender(request: web.Request) -> None:
    headers = request.headers
    if not is_own_form(headers.get("Origin"), headers.get("Sec-Fetch-Site"), _here(request)):
        _reject(request, Rejection.FORBIDDEN)
        raise Problem(403, "cross_site", "another site sent this, or no browser")


async def _fields(request: web.Request) -> Form:
    if request.content_type != _FORM:
        raise Problem(415, "not_a_form", "a form is expected")
    body = await body_of(request)
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Problem(422, "invalid", "the form can't be read") from None
    form: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        form[name] = (*form.get(name, ()), value)
    return form


def _reject(request: web.Request, reason: Rejection) -> None:
    site, strangers = request.app[SITE], request.app[DESK].strangers
    strangers.record(site.sink, reason, channel=CHANNEL, now=site.clock.monotonic())
