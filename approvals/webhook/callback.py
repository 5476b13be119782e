"""Takes the decisions that endpoints send: `POST /v1/webhooks/{endpoint}/decisions`.

Who sends is known by the signature alone, verified on the raw bytes before anything reads them. A
stranger learns nothing but that; whoever signed well is told what is wrong. The first answer to a
`webhook-id` is kept for a day and given again, byte for byte: a decision that comes twice counts
once, also when we were killed over the first.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from typing import TYPE_CHECKING, Final

from aiohttp import web
from pydantic import ValidationError

from approvals.errors import (
    AlreadyResolved,
    ApprovalError,
    ForeignDecision,
    InvalidAnswer,
    InvalidJson,
    NoOpinion,
    NotAllowedToSay,
    StaleAnswer,
    StoreUnavailable,
    TooWide,
    UnknownApproval,
    UnverifiedWebhook,
)
from approvals.http.application import REQUEST_ID, body_of
from approvals.http.problems import Problem, problem_of
from approvals.http.rejections import record_rejection, rejection_of
from approvals.http.site import SITE
from approvals.model import Rejection, Resolution, Status
from approvals.store.webhooks import place_of
from approvals.strict_json import read_object
from approvals.webhook.decision import Decision, Envelope, check_binding, decided
from approvals.webhook.payloads import answer_shown
from approvals.webhook.signing import BODY_BYTES, Verified, verify
from approvals.wire import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from approvals.config import WebhookSettings
    from approvals.http.site import Site
    from approvals.model import Answer
    from approvals.store.webhooks import Asked, WebhookStore

# Of those that nobody vouches for, each costs a record; more of them is noise, or an attack on the
# journal. What is signed well is never counted among them.
_STRANGERS: Final = 30
_MINUTE_SECONDS: Final = 60.0
_CHANNEL: Final = "webhook"
# What is wrong, by the error that says so.
_REASONS: Final[tuple[tuple[type[ApprovalError], Rejection, int, str], ...]] = (
    (ForeignDecision, Rejection.FORBIDDEN, 403, "forbidden"),
    (NotAllowedToSay, Rejection.FORBIDDEN, 403, "forbidden"),
    (TooWide, Rejection.SCOPE, 403, "scope"),
    (StaleAnswer, Rejection.STALE, 409, "stale"),
    (UnknownApproval, Rejection.UNKNOWN, 404, "unknown"),
    (InvalidJson, Rejection.INVALID, 400, "malformed"),
    (InvalidAnswer, Rejection.INVALID, 422, "invalid"),
)


def add_callback(
    app: web.Application, endpoints: Iterable[WebhookSettings], store: WebhookStore
) -> None:
    """Mount it, for those endpoints that may answer."""
    door = _Door(endpoints, store)
    app.router.add_post("/v1/webhooks/{endpoint}/decisions", door.take)


class _Door:
    def __init__(self, endpoints: Iterable[WebhookSettings], store: WebhookStore) -> None:
        self._endpoints = {each.name: each for each in endpoints if each.reply_secrets}
        self._store = store
        # One decision of an endpoint at a time: two with one id meet the kept answer, not each
        # other.
        self._turns = {name: asyncio.Lock() for name in self._endpoints}
        self._strangers: deque[float] = deque(maxlen=_STRANGERS)

    async def take(self, request: web.Request) -> web.Response:
        """Answer one decision. Raises `Problem`."""
        site, name = request.app[SITE], request.match_info["endpoint"]
        body = await body_of(request, limit_bytes=BODY_BYTES)
        settings = self._endpoints.get(name)
        keys = () if settings is None else settings.reply_secrets
        try:
            verified = verify(request.headers.items(), body, keys, now=site.clock.wall())
        except UnverifiedWebhook as why:
            raise self._stranger(site, str(why)) from None
        assert settings is not None, "without a key nothing is verified"
        async with self._turns[name]:
            hearing = _Hearing(site, settings, self._store, verified)
            status, text = await hearing.answer(body, request[REQUEST_ID])
        kind = "application/json" if status < 400 else "application/problem+json"  # noqa: PLR2004  # RFC 9110 section 15
        return web.Response(status=status, text=text, content_type=kind)

    def _stranger(self, site: Site, why: str) -> Problem:
        """One answer for whatever is wrong; why is for the log."""
        now, before = site.clock.monotonic(), self._strangers
        if len(before) == _STRANGERS and now - before[0] < _MINUTE_SECONDS:
            wait = str(round(_MINUTE_SECONDS - (now - before[0])) + 1)
            return Problem(
                429, "too_many", "too many without a good signature", headers={"Retry-After": wait}
            )
        before.append(now)
        site.log(f"webhook decision refused: {why}")
        record_rejection(site.sink, Rejection.UNAUTHENTICATED, channel=_CHANNEL)
        return Problem(401, "unauthenticated", "the signature or its timestamp is not valid")


class _Hearing:
    """One verified decision."""

    def __init__(
        self, site: Site, settings: WebhookSettings, store: WebhookStore, verified: Verified
    ) -> None:
        self._site = site
        self._settings = settings
        self._store = store
        self._reply_id = verified.webhook_id
        self._place = place_of(settings.name, settings.url)
        self._approval_id: str | None = None  # once it is known to be one that was asked

    async def answer(self, body: bytes, request_id: str) -> tuple[int, str]:
        """Status and body: those of the first time. Raises `StoreUnavailable`, and `Problem`."""
        digest = hashlib.sha256(body).hexdigest()
        now = self._site.clock.wall()
        before = await self._store.receive(self._place, self._reply_id, digest, now=now)
        if before.digest != digest:
            self._reject(Rejection.REPLAYED)
            raise Problem(409, "replayed_id", "this webhook-id came with another body before")
        if before.status is not None and before.response is not None:
            return before.status, before.response
        try:
            resolution = await self._decide(body)
        except StoreUnavailable:
            raise  # nothing was changed: the same again may succeed
        except Problem as problem:
            status, said = problem.status, problem.document(request_id)
        else:
            status, said = 200, _told(resolution)
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        await self._store.answered(self._place, self._reply_id, status, text)
        return status, text

    async def _decide(self, body: bytes) -> Resolution:
        try:
            return await self._decided(Envelope.model_validate(read_object(body)).data)
        except ValidationError as error:
            self._reject(Rejection.INVALID)
            found = problems_of(error)
            raise Problem(
                422, "invalid", "this is no decision", members={"errors": found}
            ) from None
        except NoOpinion:
            self._reject(Rejection.INVALID)
            raise Problem(422, "invalid", "who has no opinion sends none") from None
        except AlreadyResolved as late:
            self._reject(rejection_of(late))
            raise problem_of(late) from None
        except StoreUnavailable:
            raise
        except ApprovalError as error:
            for kind, reason, status, code in _REASONS:
                if isinstance(error, kind):
                    self._reject(reason)
                    raise Problem(status, code, str(error)) from None
            raise

    async def _decided(self, decision: Decision) -> Resolution:
        found = await self._store.asked(self._place, decision.approval_id)
        if found is None:
            raise UnknownApproval("this endpoint was not asked that")
        message_id, asked = found
        self._approval_id = decision.approval_id
        check_binding(decision, asked)
        inbox = self._site.inbox
        pending = inbox.find(decision.approval_id)
        if pending is None:
            return await self._late(decision, message_id, asked)
        answer = decided(decision, pending.question, asked, self._settings)
        if not await self._store.use(message_id, self._reply_id):
            self._reject(Rejection.REPLAYED)
            raise Problem(409, "replayed_nonce", "this question was answered by another message")
        try:
            return await inbox.decide(decision.approval_id, answer)
        except AlreadyResolved as late:
            return self._own(late.resolution, answer)
        except InvalidAnswer:
            await self._store.release(message_id, self._reply_id)
            raise

    async def _late(self, decision: Decision, message_id: str, asked: Asked) -> Resolution:
        """The question is over, or another gateway's."""
        story = await self._site.inbox.story(decision.approval_id)
        if story is None or story.record.status is Status.PENDING:
            raise UnknownApproval("it is not open here")
        record = story.record
        winner = Resolution(
            approval_id=decision.approval_id,
            status=record.status,
            answer=record.answer,
            explanation=f"it is {record.status}",
        )
        answer = decided(decision, record.question, asked, self._settings)
        if not await self._store.use(message_id, self._reply_id):
            raise AlreadyResolved(winner)
        return self._own(winner, answer)

    @staticmethod
    def _own(winner: Resolution, answer: Answer) -> Resolution:
        """An answer that took effect before we were killed is told as such when it comes again."""
        if winner.answer == answer:
            return winner
        raise AlreadyResolved(winner)

    def _reject(self, reason: Rejection) -> None:
        record_rejection(
            self._site.sink,
            reason,
            channel=_CHANNEL,
            reviewer=self._settings.name,
            approval_id=self._approval_id,
        )


def _told(resolution: Resolution) -> dict[str, object]:
    return {
        "approval_id": resolution.approval_id,
        "status": resolution.status,
        "explanation": resolution.explanation,
        "answer": None if resolution.answer is None else answer_shown(resolution.answer),
    }
