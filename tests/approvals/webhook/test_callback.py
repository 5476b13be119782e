"""A decision by webhook: what it takes to be heard, and what everything else is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from approvals.config import Config
from approvals.model import Ending, Scope, Verdict
from tests.support.approvals import asking
from tests.support.loops import on_a_loop
from tests.support.webhook_world import asked, world

if TYPE_CHECKING:
    from pathlib import Path


@on_a_loop
async def test_a_yes_lets_through_who_waits_and_is_told_how_it_ended(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        wish = here.decision(told, scope="run", comment="ok\x1b", reviewer="anna@example.org")
        reply = await here.send(wish)
        outcome = await waiting
    assert reply.status == 200
    assert reply.document["status"] == "granted"
    assert reply.document["answer"]["reviewer"] == "anna@example.org by ops"
    assert outcome.ending is Ending.APPROVED
    assert outcome.answer is not None
    said = (outcome.answer.verdict, outcome.answer.scope, outcome.answer.comment)
    assert said == (Verdict.ALLOW, Scope.RUN, "ok\\u001b")
    assert (outcome.answer.channel, outcome.answer.seen_join_no) == ("webhook", 1)


@on_a_loop
async def test_a_no_is_the_endpoints_own_where_it_names_nobody(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        reply = await here.send(here.decision(told, verdict="deny", scope="session", cancel=False))
        outcome = await waiting
    assert (reply.status, reply.document["status"]) == (200, "denied")
    assert outcome.ending is Ending.DENIED
    assert outcome.answer is not None
    assert (outcome.answer.reviewer, outcome.answer.cancel) == ("ops", False)


@on_a_loop
async def test_the_same_again_gets_the_same_answer_byte_for_byte_and_counts_once(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        wish = here.decision(told)
        first, twin = await asyncio.gather(here.send(wish), here.send(wish))
        await waiting
        later = await here.send(wish)
        other = await here.send(here.decision(told, verdict="deny"))
        assert first.body == twin.body == later.body
        assert {first.status, twin.status, later.status} == {200}
        assert (other.status, other.document["type"]) == (409, "urn:netproxy:problem:replayed_id")
        reviewed = [each for each in here.sink.names if each == "approval.reviewed"]
        assert len(reviewed) == 1
        assert here.rejected() == ["replayed"]


@pytest.mark.parametrize(
    ("changed", "status", "reason"),
    [
        ({"nonce": "guessed"}, 403, "forbidden"),
        ({"nonce": "\u00e4"}, 403, "forbidden"),
        ({"version": 2}, 409, "stale"),
        ({"request_digest": "0" * 64}, 409, "stale"),
        ({"approval_id": "a-unknown"}, 404, "unknown"),
        ({"scope": "session"}, 403, "scope"),
        ({"verdict": "deny", "scope": "always"}, 403, "scope"),
        ({"reviewer": "root"}, 403, "forbidden"),
        ({"reviewer": "anna@example.org.evil"}, 403, "forbidden"),
        ({"verdict": "approve"}, 422, "invalid"),
        ({"verdict": "abstain"}, 422, "invalid"),
        ({"verdict": None}, 422, "invalid"),
        ({"scope": "time"}, 422, "invalid"),
        ({"nonce": 1}, 422, "invalid"),
        ({"extra": 1}, 422, "invalid"),
    ],
)
@on_a_loop
async def test_what_does_not_fit_changes_nothing_and_is_on_record(
    tmp_path: Path, changed: dict[str, object], status: int, reason: str
) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        reply = await here.send(here.decision(told, **changed))
        assert reply.status == status
        assert reply.fields["content-type"].startswith("application/problem+json")
        assert here.rejected() == [reason]
        assert not waiting.done()
        # The question still takes a good one: a mistake uses nothing up.
        assert (await here.send(here.decision(told), webhook_id="reply-0002")).status == 200
        await waiting


@on_a_loop
async def test_what_the_managed_file_forbids_uses_nothing_up(tmp_path: Path) -> None:
    """The endpoint may say session, and here nobody may."""
    narrow = Config(widest_scope=Scope.RUN)
    async with asked(tmp_path, widest_scope=Scope.SESSION, config=narrow) as (here, told, waiting):
        assert {"verdict": "allow", "scope": "session"} not in told["data"]["options"]
        reply = await here.send(here.decision(told, scope="session"))
        assert (reply.status, here.rejected()) == (403, ["scope"])
        good = here.decision(told, scope="run")
        assert (await here.send(good, webhook_id="reply-0002")).status == 200
        assert (await waiting).allowed


@on_a_loop
async def test_what_is_no_json_with_one_meaning_is_malformed(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, _, waiting):
        for number, body in enumerate((b"{", b'{"type":1,"type":2}', b'{"type":NaN}', b"\xff")):
            reply = await here.send(body, webhook_id=f"reply-000{number}")
            assert (reply.status, here.rejected()[-1]) == (400, "invalid")
        assert not waiting.done()


@on_a_loop
async def test_the_second_answer_is_told_who_won(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        await here.send(here.decision(told))
        await waiting
        late = await here.send(here.decision(told, verdict="deny"), webhook_id="reply-0002")
        assert late.status == 409
        assert late.document["winner"]["reviewer"] == "ops"
        assert here.rejected() == ["already_resolved"]


@on_a_loop
async def test_an_answer_after_the_end_of_the_question_is_too_late(tmp_path: Path) -> None:
    async with world(tmp_path, config=Config(answerable_seconds=2, hold_seconds=1.5)) as here:
        assert (await here.service.ask(asking())).ending is Ending.TIMEOUT
        told = await here.asked()
        await here.hook.count(2)  # it was told of the end
        reply = await here.send(here.decision(told))
        assert (reply.status, here.rejected()) == (410, ["expired"])


@on_a_loop
async def test_a_long_body_is_not_read(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, _, _waiting):
        assert (await here.send(b" " * 20_001)).status == 413
