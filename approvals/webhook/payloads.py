"""What endpoints are told, as JSON: the outgoing half of docs/webhooks.md. Pure.

A body is made once and kept: every attempt to deliver it sends the same bytes. Text that came from
the command is in `request` only, made visible there (`approvals.shown`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from approvals.model import Scope, Verdict
from approvals.shown import shown
from approvals.times import rfc3339
from otel import visible

if TYPE_CHECKING:
    from approvals.model import Answer, Question, Record
    from approvals.store.webhooks import Asked, EndedGrant

SCHEMA: Final = 1
REQUESTED: Final = "approval.requested"
RESOLVED: Final = "approval.resolved"
GRANT_ENDED: Final = "grant.ended"
PING: Final = "endpoint.ping"


def requested(
    question: Question,
    asked: Asked,
    *,
    widest: Scope,
    reply_url: str | None,
    review_url: str | None,
) -> str:
    """A question. `reply_url` None: the endpoint is told, and may not answer."""
    reply = None if reply_url is None else {"url": reply_url, "nonce": asked.nonce}
    data = {
        "schema": SCHEMA,
        "approval_id": question.approval_id,
        "version": asked.version,
        "request_digest": asked.digest,
        "request": shown(question),
        "waiting": asked.joined,
        "options": [] if reply is None else _options(question, widest),
        "expires_at": rfc3339(question.expires_at),
        "reply": reply,
        "review_url": review_url,
    }
    return _body(REQUESTED, question.created_at, data)


def resolved(record: Record, *, at: float) -> str:
    """How a question ended."""
    question = record.question
    data = {
        "schema": SCHEMA,
        "approval_id": question.approval_id,
        "version": record.version,
        "destination": shown(question)["destination"],
        "status": record.status,
        "answer": None if record.answer is None else answer_shown(record.answer),
    }
    return _body(RESOLVED, record.ended_at or at, data)


def grant_ended(record: Record, grant: EndedGrant) -> str:
    """What a question left behind holds no longer."""
    data = {
        "schema": SCHEMA,
        "grant_id": grant.grant_id,
        "approval_id": grant.approval_id,
        "destination": shown(record.question)["destination"],
        "reason": grant.reason,
        "connections": grant.connections,
        "bytes": grant.bytes,
    }
    return _body(GRANT_ENDED, grant.ended_at, data)


def ping(at: float) -> str:
    """Nothing but that somebody tries the endpoint out."""
    return _body(PING, at, {"schema": SCHEMA})


def answer_shown(answer: Answer) -> dict[str, str | float | None]:
    """An answer, for those who did not give it."""
    return {
        "verdict": answer.verdict,
        "scope": answer.scope,
        "seconds": answer.seconds,
        "reviewer": visible(answer.reviewer),
        "channel": visible(answer.channel),
        "comment": None if answer.comment is None else visible(answer.comment),
    }


def _options(question: Question, widest: Scope) -> list[dict[str, str | float | None]]:
    """What this endpoint may say of this question."""
    order = tuple(Scope)
    most = {
        Verdict.ALLOW: widest,
        Verdict.DENY: max(widest, Scope.SESSION, key=order.index),
    }
    offered = {Verdict.ALLOW: question.scopes, Verdict.DENY: question.denial_scopes}
    return [
        {"verdict": verdict, "scope": scope}
        | ({"most_seconds": question.longest_seconds} if scope is Scope.TIME else {})
        for verdict, scopes in offered.items()
        for scope in scopes
        if order.index(scope) <= order.index(most[verdict])
    ]


def _body(kind: str, at: float, data: object) -> str:
    message = {"type": kind, "timestamp": rfc3339(at), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
