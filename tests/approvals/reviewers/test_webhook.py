"""The reviewer of one endpoint: what its message offers, and that it never answers itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from approvals.errors import ReviewerUnavailable
from approvals.reviewers.webhook import WebhookReviewer
from tests.support.inquiries import FakeInquiry
from tests.support.loops import on_a_loop
from tests.support.webhook_world import endpoint

if TYPE_CHECKING:
    from approvals.store.webhooks import Message
    from approvals.webhook.courier import Courier


class FakeCourier:
    def __init__(self, *, fails: bool = False) -> None:
        self.messages: list[Message] = []
        self.looked = 0
        self.fails = fails

    async def deliver(self, message: Message) -> None:
        self.messages.append(message)
        if self.fails:
            raise ReviewerUnavailable("nobody there")

    def look(self) -> None:
        self.looked += 1


def reviewer(
    courier: FakeCourier, base: str | None = "https://reviews.example.org", **changed: Any
) -> WebhookReviewer:
    settings = endpoint("https://hooks.example.org/", **changed)
    return WebhookReviewer(settings, cast("Courier", courier), base_url=base)


async def told(courier: FakeCourier, asked: WebhookReviewer) -> dict[str, Any]:
    inquiry = FakeInquiry(joined=3)
    task = asyncio.get_running_loop().create_task(asked.review(inquiry))
    while not inquiry.accepted:
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert courier.looked == len(courier.messages), "its end is told"
    found: dict[str, Any] = json.loads(courier.messages[-1].body)["data"]
    return found


@on_a_loop
async def test_it_takes_the_question_when_it_arrived_and_waits_for_the_end() -> None:
    courier = FakeCourier()
    data = await told(courier, reviewer(courier))
    (message,) = courier.messages
    assert message.asked is not None
    assert (message.ref, message.asked.version, message.asked.joined) == ("a-1", 1, 3)
    assert data["reply"] == {
        "url": "https://reviews.example.org/v1/webhooks/ops/decisions",
        "nonce": message.asked.nonce,
    }
    assert data["review_url"] == "https://reviews.example.org/approvals/a-1"
    assert message.asked.nonce not in repr(data["review_url"])


@on_a_loop
async def test_each_message_has_a_nonce_of_its_own() -> None:
    courier = FakeCourier()
    for _ in range(2):
        await told(courier, reviewer(courier))
    nonces = {each.asked.nonce for each in courier.messages if each.asked}
    assert len(nonces) == 2
    assert min(map(len, nonces)) >= 32


@on_a_loop
async def test_without_a_key_or_a_place_for_its_answer_it_only_listens() -> None:
    courier = FakeCourier()
    assert (await told(courier, reviewer(courier, reply_secrets=())))["reply"] is None
    courier = FakeCourier()
    nowhere = await told(courier, reviewer(courier, base=None))
    assert (nowhere["reply"], nowhere["review_url"]) == (None, None)


@on_a_loop
async def test_where_nothing_can_arrive_nobody_was_asked() -> None:
    courier, inquiry = FakeCourier(fails=True), FakeInquiry()
    with pytest.raises(ReviewerUnavailable):
        await reviewer(courier).review(inquiry)
    assert inquiry.accepted == 0
