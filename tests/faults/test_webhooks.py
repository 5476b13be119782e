"""Webhooks when the store is gone or we were killed: no answer twice, none that isn't kept."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from approvals.webhook.signing import secret_text
from tests.support.loops import on_a_loop
from tests.support.receivers import receiver
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import named
from tests.support.webhook_world import KEY, asked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person
    from tests.support.receivers import Receiver


@on_a_loop
async def test_killed_over_the_first_the_same_again_is_told_what_it_did(tmp_path: Path) -> None:
    """What was decided stands in the store; only its answer was lost."""
    async with asked(tmp_path) as (here, told, waiting):
        wish = here.decision(told)
        first = await here.send(wish)
        await waiting

        def lose(transaction: Any) -> None:
            transaction.rows("UPDATE webhook_replies SET status = NULL, response = NULL")

        await here.records.database.write(lose)
        again = await here.send(wish)
        assert again.status == 200
        assert again.document["answer"] == first.document["answer"]
        reviewed = [each for each in here.sink.names if each == "approval.reviewed"]
        assert len(reviewed) == 1


@on_a_loop
async def test_a_store_that_is_gone_is_no_answer_that_is_kept(tmp_path: Path) -> None:
    async with asked(tmp_path) as (here, told, waiting):
        await here.records.database.close()
        reply = await here.send(here.decision(told))
        assert reply.status == 503
        assert not waiting.done() or not waiting.result().allowed


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    folder = base / "config" / "netproxy"
    made = Netproxy(me, base)
    folder.mkdir()
    (folder / "ops.out").write_text(secret_text(KEY) + "\n")
    (folder / "ops.out").chmod(0o600)
    return made


async def told(hook: Receiver, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            for each in hook.got:
                if each.json["type"] == kind:
                    found: dict[str, Any] = each.json["data"]
                    return found
            await asyncio.sleep(0.02)


async def noted(netproxy: Netproxy) -> None:
    """Until a delivery is on record."""
    path = netproxy.state / "netproxy" / "approvals.db"
    query = "SELECT count(*) FROM webhook_outbox WHERE delivered_at IS NOT NULL"
    async with asyncio.timeout(30):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            while store.execute(query).fetchone() == (0,):
                await asyncio.sleep(0.02)


def ask(proxy: str) -> subprocess.Popen[bytes]:
    words = ["curl", "-s", "-o", "/dev/null", "-x", f"http://{proxy}", "http://site.test/"]
    return subprocess.Popen(words, env={"PATH": "/usr/bin:/bin"})


@on_a_loop
async def test_a_gateway_that_was_killed_leaves_the_end_of_its_question_to_the_next(
    netproxy: Netproxy,
) -> None:
    """kill -9 with a question on somebody's screen: they hear that it is over."""
    async with receiver() as hook:
        (netproxy.config / "netproxy" / "config.toml").write_text(f"""
[[approvals.webhook]]
name = "ops"
url = "{hook.url()}"
allow_private = ["127.0.0.1"]
secret_file = "{netproxy.config}/netproxy/ops.out"
""")
        first = await asyncio.to_thread(Service(netproxy, *named("site.test")).__enter__)
        client = ask(first.addresses[0])
        question = await told(hook, "approval.requested")
        await noted(netproxy)
        first.process.kill()
        await asyncio.to_thread(first.__exit__)
        await asyncio.to_thread(client.wait)
        second = await asyncio.to_thread(Service(netproxy, *named("site.test")).__enter__)
        client = ask(second.addresses[0])
        try:
            end = await told(hook, "approval.resolved")
            assert end["approval_id"] == question["approval_id"]
            assert end["status"] == "withdrawn"
        finally:
            client.kill()
            await asyncio.to_thread(client.wait)
            await asyncio.to_thread(second.__exit__)
