"""Who has no key, another's key, or somebody's old words tries to answer by webhook."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.approvals import asking
from tests.support.loops import on_a_loop
from tests.support.webhook_world import KEY, OTHER_KEY, asked

if TYPE_CHECKING:
    from pathlib import Path


@on_a_loop
async def test_nobody_else_learns_more_than_that_he_is_nobody(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        good = here.decision(told)
        replies = [
            await here.send(good, key=b"x" * 32),
            await here.send(good, name="nobody"),
            await here.send(good, name="mute"),
            await here.send(good, headers={"webhook-timestamp": "1"}),
            await here.send(good, key=OTHER_KEY),
        ]
        assert {each.status for each in replies} == {401}
        documents = [dict(each.document) for each in replies]
        for each in documents:
            del each["instance"]
        assert all(each == documents[0] for each in documents)
        assert here.rejected() == ["unauthenticated"] * 5
        assert any("no signature" in line for line in here.lines), "why is in the log"
        assert not waiting.done()


@on_a_loop
async def test_another_endpoints_good_signature_opens_nothing(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        reply = await here.send(here.decision(told), name="other", key=OTHER_KEY)
        assert (reply.status, here.rejected()) == (404, ["unknown"])
        assert not waiting.done()


@on_a_loop
async def test_strangers_do_not_fill_the_journal_nor_keep_others_out(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        good = here.decision(told)
        replies = [await here.send(good, key=b"x" * 32) for _ in range(33)]
        assert [each.status for each in replies] == [401] * 30 + [429] * 3
        assert int(replies[-1].fields["retry-after"]) <= 61
        assert len(here.rejected()) == 30
        assert (await here.send(good)).status == 200
        await waiting


@on_a_loop
async def test_what_we_signed_ourselves_is_no_answer(tmp_path: Path) -> None:
    """Each direction has a key of its own: our question, sent back, proves nothing."""
    async with asked(tmp_path) as (here, told, waiting):
        assert (await here.send(here.decision(told), key=KEY)).status == 401
        assert (await here.send(told, key=KEY)).status == 401
        assert not waiting.done()


@on_a_loop
async def test_an_old_signature_serves_nobody(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        good = here.decision(told)
        for seconds in (-302, 302):
            assert (await here.send(good, seconds_ago=seconds)).status == 401
        assert not waiting.done()


@on_a_loop
async def test_an_answer_to_one_question_is_none_to_the_next(tmp_path: Path) -> None:
    """The same host asked again is another question: version, digest and nonce are its own."""
    async with asked(tmp_path) as (here, told, waiting):
        await here.send(here.decision(told))
        assert (await waiting).allowed
        again = here.service.ask(replace(asking(), connection="c-2"))
        task = asyncio.get_running_loop().create_task(again)
        async with asyncio.timeout(20):
            while len([each for each in here.hook.got if "requested" in each.json["type"]]) < 2:
                await asyncio.sleep(0.01)
        second = [each.json for each in here.hook.got if "requested" in each.json["type"]][1]
        new = second["data"]["approval_id"]
        old = here.decision(told)["data"]
        for changed in ({}, {"approval_id": new}, {"approval_id": new, "nonce": old["nonce"]}):
            stolen = here.decision(told, **changed)
            reply = await here.send(stolen, webhook_id=f"reply-{len(changed)}00{len(changed)}")
            assert reply.status in {403, 409}
        assert not task.done()
        task.cancel()


@on_a_loop
async def test_a_page_of_another_site_cannot_even_ask(tmp_path: Path) -> None:
    """DNS rebinding: the name that leads here is not ours."""
    async with asked(tmp_path) as (here, told, waiting):
        reply = await here.send(here.decision(told), headers={"Host": "evil.example"})
        assert reply.status == 421
        assert not waiting.done()
