"""Stands for whoever is behind one endpoint: sees that the question arrives there.

The answer comes by another way (`approvals.webhook.callback`), as the answers of pages do. That the
question ended is told from the store (`approvals.webhook.courier`), whoever ended it.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from approvals.store.webhooks import Asked, Message, place_of
from approvals.webhook import payloads
from otel import new_id

if TYPE_CHECKING:
    from approvals.config import WebhookSettings
    from approvals.model import Answer
    from approvals.ports import Inquiry
    from approvals.webhook.courier import Courier

# 192 bits: who has it was sent the question.
_NONCE_BYTES: Final = 24


class WebhookReviewer:
    """One endpoint."""

    channel = "webhook"

    def __init__(
        self, settings: WebhookSettings, courier: Courier, *, base_url: str | None
    ) -> None:
        """`base_url`: where our pages and the endpoint's answers are taken; None: nowhere."""
        self._settings = settings
        self._courier = courier
        self._base_url = base_url

    async def review(self, inquiry: Inquiry) -> Answer:
        """Have the question delivered, then wait for its end. Never answers itself."""
        try:
            await self._courier.deliver(self._message(inquiry))
            inquiry.accept()
            await asyncio.Event().wait()
        finally:
            self._courier.look()
        raise AssertionError("never")

    def _message(self, inquiry: Inquiry) -> Message:
        question, settings = inquiry.question, self._settings
        asked = Asked(
            nonce=secrets.token_urlsafe(_NONCE_BYTES),
            version=inquiry.version,
            digest=question.digest,
            joined=inquiry.joined,
        )
        base = self._base_url
        may_answer = base is not None and bool(settings.reply_secrets)
        body = payloads.requested(
            question,
            asked,
            widest=settings.widest_scope,
            reply_url=f"{base}/v1/webhooks/{settings.name}/decisions" if may_answer else None,
            review_url=None if base is None else f"{base}/approvals/{question.approval_id}",
        )
        return Message(
            webhook_id=new_id("w"),
            endpoint=place_of(settings.name, settings.url),
            kind=payloads.REQUESTED,
            ref=question.approval_id,
            approval_id=question.approval_id,
            body=body,
            created_at=question.created_at,
            expires_at=question.expires_at,
            asked=asked,
        )
