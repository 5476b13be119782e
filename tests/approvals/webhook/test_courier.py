"""From a question to its end: what a receiver hears, also when it was away, or we were."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from approvals.config import Config
from approvals.model import Ending, Scope, Verdict
from approvals.webhook.signing import verify
from tests.support.approvals import answer, asking
from tests.support.loops import on_a_loop
from tests.support.receivers import OK, status
from tests.support.webhook_world import KEY, World, world

if TYPE_CHECKING:
    from pathlib import Path

LONG = Config(hold_seconds=5.0)


def kinds(here: World) -> list[str]:
    return [each.json["type"] for each in here.hook.got]


def notified(here: World) -> list[tuple[bool, str | None]]:
    events: list[Any] = [each for each in here.sink.events if "notified" in each.name]
    return [(each.delivered, each.error_type) for each in events]


async def decide(here: World, told: dict[str, Any], scope: Scope = Scope.SESSION) -> None:
    said = answer(Verdict.ALLOW, scope, seen=1)
    await here.service.decide(told["data"]["approval_id"], said)


@on_a_loop
async def test_a_question_its_answer_and_the_end_of_the_grant_arrive_in_order(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        waiting = asyncio.gather(here.service.ask(asking()))
        told = await here.asked()
        await decide(here, told)
        (outcome,) = await waiting
        assert outcome.ending is Ending.APPROVED
        end = await here.asked(2)
        assert (end["data"]["status"], end["data"]["answer"]["reviewer"]) == ("granted", "anna")
    # The session ended with the gateway.
    assert kinds(here) == ["approval.requested", "approval.resolved", "grant.ended"]
    assert here.hook.got[2].json["data"]["reason"] == "session_ended"
    assert notified(here) == [(True, None)]
    for got in here.hook.got:
        verify(got.headers, got.body, [KEY], now=here.clock.wall())
    assert told["data"]["reply"]["url"].endswith("/v1/webhooks/ops/decisions")


@on_a_loop
async def test_a_grant_that_is_taken_back_is_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        waiting = asyncio.gather(here.service.ask(asking()))
        await decide(here, await here.asked())
        await waiting
        await here.asked(2)
        (grant,) = here.service.grants()
        began = asyncio.get_running_loop().time()
        await here.service.revoke(grant.grant_id, reviewer="anna", channel="cli")
        end = await here.asked(3)
        assert (end["type"], end["data"]["reason"]) == ("grant.ended", "revoked")
        assert asyncio.get_running_loop().time() - began < 2


@on_a_loop
async def test_a_receiver_that_was_away_gets_the_same_message_again(tmp_path: Path) -> None:
    async with world(tmp_path, status(503), b"", OK, config=LONG) as here:
        here.courier._chance = lambda: 0.0
        waiting = asyncio.gather(here.service.ask(asking()))
        here.clock.ahead = 60  # two minutes of trying pass in a moment
        got = await here.hook.count(1)
        here.clock.ahead += 100
        here.courier.look()
        got = await here.hook.count(2)
        here.clock.ahead += 300
        here.courier.look()
        got = await here.hook.count(3)
        assert len({each.header("webhook-id") for each in got}) == 1
        assert len({each.header("webhook-timestamp") for each in got}) == 3
        assert len({each.header("webhook-signature") for each in got}) == 3
        assert len({each.body for each in got}) == 1
        await decide(here, got[0].json)
        await waiting
    assert notified(here) == [(False, "status"), (True, None)]


@on_a_loop
async def test_nobody_took_it_within_the_delivery_time(tmp_path: Path) -> None:
    config = Config(delivery_seconds=1.5)
    async with world(tmp_path, status(500), config=config) as here:
        outcome = await here.service.ask(asking())
        assert outcome.ending is Ending.UNAVAILABLE
    assert notified(here) == [(False, "status")]
    assert kinds(here) == ["approval.requested"], "who did not hear of it need not hear of its end"


@on_a_loop
async def test_410_ends_it_for_good(tmp_path: Path) -> None:
    async with world(tmp_path, status(410)) as here:
        first = await here.service.ask(asking())
        second = await here.service.ask(asking("other.example"))
        assert {first.ending, second.ending} == {Ending.UNAVAILABLE}
        assert "410" in first.explanation
    assert len(here.hook.got) == 1
    assert notified(here) == [(False, "gone")]
    assert here.reports == ["netproxy: webhook ops: 410, nothing more is sent there"]


@on_a_loop
async def test_a_gateway_that_asks_nobody_opens_no_store(tmp_path: Path) -> None:
    async with world(tmp_path):
        await asyncio.sleep(0)
    assert not (tmp_path / "state" / "approvals.db").exists()


@on_a_loop
async def test_what_a_killed_gateway_did_not_say_the_next_one_does(tmp_path: Path) -> None:
    """Its question is withdrawn by the store's sweep; whoever has it on screen hears of it."""
    async with world(tmp_path) as dead:
        waiting = asyncio.get_running_loop().create_task(dead.service.ask(asking()))
        told = await dead.asked()
        while await dead.store.is_delivered(*key(dead, told)) is not True:
            await asyncio.sleep(0.01)

        def lose(transaction: Any) -> None:
            transaction.rows("UPDATE approvals SET status = 'withdrawn', version = version + 1")

        await dead.records.database.write(lose)
        dead.courier.look()
        end = await dead.asked(2)
        assert (end["type"], end["data"]["status"]) == ("approval.resolved", "withdrawn")
        waiting.cancel()


def key(here: World, told: dict[str, Any]) -> tuple[str, str, str]:
    from approvals.store.webhooks import place_of

    place = place_of(here.settings.name, here.settings.url)
    return place, "approval.requested", told["data"]["approval_id"]


@on_a_loop
async def test_a_store_that_breaks_is_a_reviewer_that_fails(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.records.database.close()
        assert not (await here.service.ask(asking())).allowed
    assert here.hook.got == []


@on_a_loop
async def test_a_bug_of_ours_is_told_and_keeps_the_next_question_from_nobody(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, config=Config(delivery_seconds=1.5)) as here:
        post = here.courier._transport.post

        async def broken(*_: object) -> None:
            raise ZeroDivisionError("bug")

        here.courier._transport.post = broken  # type: ignore[assignment,method-assign]  # once
        first = await here.service.ask(asking())
        assert first.ending is Ending.UNAVAILABLE
        here.courier._transport.post = post  # type: ignore[method-assign]  # as it was
        waiting = asyncio.gather(here.service.ask(asking("other.example")))
        await decide(here, await here.asked())
        (second,) = await waiting
        assert second.allowed
    assert here.reports == ["netproxy: webhooks failed: ZeroDivisionError: bug"]
