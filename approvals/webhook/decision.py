"""A decision as an endpoint sends it, and whether it is about what that endpoint was asked. Pure.

The signature says who sends. What is checked here is the rest: that the endpoint was asked this,
that it speaks of the very text that it was sent, that it may say this much, and in whose name.
"""

from __future__ import annotations

import hmac
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from approvals.errors import ForeignDecision, NotAllowedToSay, StaleAnswer
from approvals.wire import Said, answer_of

if TYPE_CHECKING:
    from approvals.config import WebhookSettings
    from approvals.model import Answer, Question
    from approvals.store.webhooks import Asked

_Short = Annotated[str, Field(min_length=1, max_length=128)]


class Decision(Said):
    """What `data` holds: the verdict, and what it is about."""

    approval_id: _Short
    version: int
    request_digest: _Short
    nonce: _Short
    reviewer: _Short | None = None  # who decided, where the endpoint may name somebody


class Envelope(BaseModel):
    """The whole body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["approval.decision"]
    timestamp: _Short | None = None  # for people; the signed header is what counts
    data: Decision


def check_binding(decision: Decision, asked: Asked) -> None:
    """Refuse what is not about the message that this endpoint got.

    Raises `ForeignDecision` for another one's nonce, `StaleAnswer` for another text.
    """
    if not hmac.compare_digest(decision.nonce.encode(), asked.nonce.encode()):
        raise ForeignDecision("the nonce is not the one that this endpoint was sent")
    if decision.version != asked.version or decision.request_digest != asked.digest:
        raise StaleAnswer("it was given on another version of the question")


def decided(
    decision: Decision, question: Question, asked: Asked, settings: WebhookSettings
) -> Answer:
    """The answer that it comes to.

    Raises `NotAllowedToSay`, `TooWide`, or `NoOpinion` for an abstention.
    """
    return answer_of(
        decision,
        question,
        seen_join_no=asked.joined,
        widest=settings.widest_scope,
        reviewer=_reviewer(decision, settings),
        channel="webhook",
    )


def _reviewer(decision: Decision, settings: WebhookSettings) -> str:
    """Who is on record: the endpoint, and whom it names."""
    named = decision.reviewer
    if named is None:
        return settings.name
    if not any(fnmatchcase(named, pattern) for pattern in settings.may_assert):
        raise NotAllowedToSay(f"{settings.name} may not name this reviewer")
    return f"{named} by {settings.name}"
