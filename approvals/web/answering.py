"""What forms of the pages do: answer one question or a group, revoke a grant.

An answer names what its page showed (version, digest, the last request that waited). What has
changed since is refused with what is so now; what is over already, with who was faster.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from approvals.errors import AlreadyResolved, ApprovalError, StaleAnswer
from approvals.http.problems import Problem, problem_of
from approvals.http.rejections import record_rejection, rejection_of
from approvals.http.site import SITE
from approvals.model import Answer, Budget, Scope, Verdict
from approvals.web import words
from approvals.web.choices import Choice, parse
from approvals.web.door import CHANNEL, form_of, one, page
from approvals.web.views import Item, read_item, waiting
from otel.values import dataclass

if TYPE_CHECKING:
    from approvals.http.site import Site
    from approvals.model import Resolution
    from approvals.web.door import Form

_MOST_COMMENT = 2000
_MEGABYTE = 1_000_000
_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of the answer to one question."""

    id: str
    host: str
    done: bool
    text: str


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer the questions that a form names."""
    form, visitor = await form_of(request)
    site, items = request.app[SITE], _items(form)
    given = {item.approval_id: _answer(form, item, visitor.name) for item in items}
    hosts = {each: _host(site, each) for each in given}
    results = await site.inbox.decide_all(given)
    lines = tuple(_line(site, each, hosts[each], results[each]) for each in given)
    if all(line.done for line in lines):
        visitor.notices.extend(f"{line.host}: {line.text}" for line in lines)
        back = items[0].approval_id if one(form, "back") == "story" else ""
        return web.Response(
            status=HTTPStatus.SEE_OTHER,
            headers={"Location": f"/approvals/{back}" if back else "/"},
        )
    errors = {each: e for each, e in results.items() if isinstance(e, ApprovalError)}
    for approval_id, error in errors.items():
        record_rejection(
            site.sink,
            rejection_of(error),
            channel=CHANNEL,
            reviewer=visitor.name,
            approval_id=approval_id,
        )
    return page(
        request,
        "outcome.html",
        visitor=visitor,
        status=problem_of(next(iter(errors.values()))).status,
        title="Not answered" if len(errors) == len(results) else "Not all were answered",
        texts=(),
        lines=lines,
    )


async def revoke(request: web.Request) -> web.StreamResponse:
    """End a grant, and the connections that it carries."""
    _, visitor = await form_of(request)
    grant_id = request.match_info["grant_id"]
    grant = await request.app[SITE].inbox.revoke(grant_id, reviewer=visitor.name, channel=CHANNEL)
    visitor.notices.append(f"{grant.key.destination}: revoked")
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/grants"})


def _items(form: Form) -> tuple[Item, ...]:
    read = [read_item(text) for text in form.get("item", ())]
    items = tuple(item for item in read if item is not None)
    if not items or len({item.approval_id for item in items}) < len(read):
        raise Problem(422, "invalid", "the form doesn't say which questions it answers")
    return items


def _answer(form: Form, item: Item, reviewer: str) -> Answer:
    choice = parse(one(form, "answer"))
    if choice is None:
        raise Problem(422, "invalid", "the form doesn't say what the answer is")
    comment = one(form, "comment").strip()
    if len(comment) > _MOST_COMMENT:
        raise Problem(422, "invalid", f"a comment has at most {_MOST_COMMENT} characters")
    return Answer(
        verdict=choice.verdict,
        scope=choice.scope,
        cancel=choice.cancel,
        reviewer=reviewer,
        channel=CHANNEL,
        seen_join_no=item.joined,
        comment=comment or None,
        seconds=choice.seconds,
        budget=_budget(form, choice),
        seen_version=item.version,
        seen_digest=item.digest,
    )


def _budget(form: Form, choice: Choice) -> Budget | None:
    """The limits of a yes that lasts. Raises `Problem` 422 where they could not be kept."""
    connections, megabytes = _count(form, "connections"), _count(form, "megabytes")
    limited = connections is not None or megabytes is not None
    if not limited or choice.verdict is Verdict.DENY or choice.scope is Scope.ONCE:
        return None
    if choice.scope is Scope.ALWAYS:
        raise Problem(422, "invalid", "a rule has no limits: leave them empty, or allow for less")
    return Budget(
        connections=connections, bytes=None if megabytes is None else megabytes * _MEGABYTE
    )


def _count(form: Form, name: str) -> int | None:
    text = one(form, name).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        raise Problem(422, "invalid", f"{name} is a whole number from 1 on")
    return int(text)


def _host(site: Site, approval_id: str) -> str:
    """Where to, as long as it is known; ids are shown as they were posted otherwise."""
    pending = site.inbox.find(approval_id)
    return approval_id if pending is None else pending.question.key.destination


def _line(site: Site, approval_id: str, host: str, result: Resolution | ApprovalError) -> Line:
    if not isinstance(result, ApprovalError):
        return Line(id=approval_id, host=host, done=True, text=words.resolved(result))
    if isinstance(result, AlreadyResolved):
        text = f"is over already: {words.resolved(result.resolution)}"
    elif isinstance(result, StaleAnswer):
        text = f"has changed since that page was made: {_now(site, approval_id)}. Look again."
    else:
        text = problem_of(result).detail
    return Line(id=approval_id, host=host, done=False, text=text)


def _now(site: Site, approval_id: str) -> str:
    pending = site.inbox.find(approval_id)
    return "it is over" if pending is None else waiting(pending)
