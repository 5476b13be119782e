"""The outbox and the replies: who sends what, once, and what of it outlives whom."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from approvals.store.database import Database
from approvals.store.webhooks import KEPT_SECONDS, Asked, Message, WebhookStore, place_of
from tests.support.loops import on_a_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PLACE = place_of("ops", "https://hooks.example.org/T0K3N")
ASKED = Asked(nonce="n", version=1, digest="d", joined=1)
MESSAGE = Message(
    webhook_id="w-1",
    endpoint=PLACE,
    kind="approval.requested",
    ref="a-1",
    approval_id="a-1",
    body="{}",
    created_at=100.0,
    expires_at=1000.0,
    asked=ASKED,
)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[WebhookStore, Database]]:
    database = Database(folder / "state" / "approvals.db")
    yield WebhookStore(database), database
    await database.close()


def test_an_endpoint_that_moved_is_another_and_its_url_is_not_kept() -> None:
    assert place_of("ops", "https://b/") != PLACE
    assert "T0K3N" not in PLACE


@on_a_loop
async def test_a_question_is_kept_once_however_many_gateways_have_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.put(MESSAGE)
        await store.put(replace(MESSAGE, webhook_id="w-2", asked=replace(ASKED, nonce="other")))
        assert await store.asked(PLACE, "a-1") == ("w-1", ASKED)
        assert await store.asked(PLACE, "a-2") is None
        assert await store.asked("somebody else", "a-1") is None


@on_a_loop
async def test_what_is_due_is_claimed_by_one_and_due_again_when_he_dies(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, database):
        await store.put(MESSAGE)
        other = WebhookStore(database)
        claims = await asyncio.gather(
            *(each.claim([PLACE], now=100.0, until=120.0) for each in (store, other) * 5)
        )
        (claimed,) = [message for claim in claims for message in claim]
        assert (claimed.webhook_id, claimed.attempts, claimed.body) == ("w-1", 1, "{}")
        assert await store.next_due([PLACE]) == 120.0
        assert await other.claim([PLACE], now=119.0, until=140.0) == ()
        (again,) = await other.claim([PLACE], now=121.0, until=140.0)
        assert again.attempts == 2


@on_a_loop
async def test_a_message_is_delivered_given_up_or_under_way(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        key = (PLACE, MESSAGE.kind, "a-1")
        assert await store.is_delivered(*key) is False
        await store.put(MESSAGE)
        assert await store.is_delivered(*key) is None
        await store.done(MESSAGE, next_at=130.0, delivered_at=None)
        assert await store.next_due([PLACE]) == 130.0
        await store.done(MESSAGE, next_at=None, delivered_at=None)
        assert await store.is_delivered(*key) is False
        await store.done(MESSAGE, next_at=None, delivered_at=131.0)
        assert await store.is_delivered(*key) is True
        assert await store.next_due([PLACE]) is None


@on_a_loop
async def test_a_nonce_serves_one_reply(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.put(MESSAGE)
        assert await store.use("w-1", "reply-1")
        assert not await store.use("w-1", "reply-2")
        assert await store.use("w-1", "reply-1"), "the same reply may come again"
        await store.release("w-1", "reply-2")
        assert not await store.use("w-1", "reply-2")
        await store.release("w-1", "reply-1")
        assert await store.use("w-1", "reply-2")


@on_a_loop
async def test_a_reply_is_remembered_over_a_restart_and_forgotten_after_a_day(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (store, _):
        first = await store.receive(PLACE, "reply-1", "digest", now=100.0)
        assert (first.digest, first.status, first.response) == ("digest", None, None)
        await store.answered(PLACE, "reply-1", 200, '{"status":"granted"}')
    async with opened(tmp_path) as (store, _):
        again = await store.receive(PLACE, "reply-1", "another", now=101.0)
        kept = (again.digest, again.status, again.response)
        assert kept == ("digest", 200, '{"status":"granted"}')
        await store.forget(now=100.0 + KEPT_SECONDS)
        assert (await store.receive(PLACE, "reply-1", "digest", now=102.0)).status == 200
        await store.forget(now=103.0 + KEPT_SECONDS)
        assert (await store.receive(PLACE, "reply-1", "digest", now=104.0)).status is None


@on_a_loop
async def test_what_is_still_to_be_sent_is_not_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.put(MESSAGE)
        await store.forget(now=9_999_999.0)
        assert await store.asked(PLACE, "a-1")
        await store.done(MESSAGE, next_at=None, delivered_at=1.0)
        await store.forget(now=9_999_999.0)
        assert await store.asked(PLACE, "a-1") is None


def ended(status: str) -> Any:
    def work(transaction: Any) -> None:
        transaction.rows(
            "INSERT INTO gateways (gateway_id, started_at) VALUES ('y', 0) ON CONFLICT DO NOTHING"
        )
        transaction.rows(
            "INSERT INTO sessions (session_id, gateway_id, created_at) VALUES ('s', 'y', 0)"
            " ON CONFLICT DO NOTHING"
        )
        transaction.rows(
            "INSERT INTO approvals (approval_id, session_id, host, protocol, port, status, version,"
            " gateway_id, question, shown, digest, created_at, expires_at) VALUES ('a-1', 's', 'h',"
            " 'https', 443, $1, 1, 'y', '', '', '', 0, 0) ON CONFLICT (approval_id)"
            " DO UPDATE SET status = $1",
            status,
        )

    return work


@on_a_loop
async def test_an_end_is_told_once_and_only_to_whom_the_question_arrived(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, database):
        await database.write(ended("pending"))
        assert await store.stands("a-1")
        await store.put(MESSAGE)
        await store.done(MESSAGE, next_at=None, delivered_at=101.0)
        assert await store.ended(PLACE) == ()
        await database.write(ended("denied"))
        assert not await store.stands("a-1")
        assert await store.ended(PLACE) == (("a-1", True),)
        await store.told(PLACE, "a-1", of="resolved")
        assert await store.ended(PLACE) == ()
        assert await store.ended_grants(PLACE) == ()
