"""What sessions were told outlives the gateway, and serves all gateways of the session."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals import ApprovalService, Config, Outcome, Scope, SystemClock
from approvals.store.sqlite import SqliteStore
from otel import read
from tests.support.approvals import ASKING, KEY, ListSink, Silent, answer
from tests.support.runs import Netproxy
from tests.support.services import Service
from tests.support.sites import Site, named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.support.people import Person

ANNA, BERT = "anna-0123456789-0123456789-0123456789", "bert-0123456789-0123456789-0123456789"
YES = """
[[approvals.auto]]
name = "once"
hosts = ["site.test:{port}"]
verdict = "allow"
scope = "session"
limit = 1
"""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def asked(service: Service, token: str, site: Site) -> str:
    """The status that curl sees."""
    words = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "--max-time", "15"]
    proxy = f"http://x:{token}@{service.address}"
    done = subprocess.run(
        [*words, "-x", proxy, f"http://site.test:{site.port}/"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout


def test_a_yes_outlives_the_gateway_that_was_killed(me: Person, base: Path, site: Site) -> None:
    netproxy = Netproxy(me, base)
    file = netproxy.config / "tokens"
    file.write_text(f"anna:{ANNA}\nbert:{BERT}\n")
    file.chmod(0o600)
    settings = netproxy.config / "netproxy" / "config.toml"
    settings.parent.mkdir(0o700)
    settings.write_text(YES.format(port=site.port))
    options = ("--token-file", str(file), *named("site.test"))

    with Service(netproxy, *options) as service:
        assert asked(service, ANNA, site) == "200"
        service.signal(signal.SIGKILL)
        service.ends()
    # Nobody answers any more: what is let through now was allowed before.
    settings.write_text("[approvals]\nhold_seconds = 0.2\n")
    with Service(netproxy, *options) as service:
        assert asked(service, ANNA, site) == "200"
        assert asked(service, BERT, site) == "403"
        assert service.stop() == 0

    records = list(read(netproxy.audit, print))
    (asked_by,) = {
        record.attributes["session.id"]
        for record in records
        if record.name == "netproxy.grant.created"
    }
    reasons = [
        (record.attributes["session.id"] == asked_by, record.attributes["network.policy.reason"])
        for record in records
        if record.name == "netproxy.policy_decision"
    ]
    assert reasons[:2] == [(True, "approved"), (True, "allowed_by_grant")]
    assert reasons[2][0] is False
    store = sqlite3.connect(netproxy.state / "netproxy" / "approvals.db")
    assert store.execute("SELECT session_id FROM grants WHERE ended_at IS NULL").fetchall() == [
        (asked_by,)
    ]
    names = "SELECT name FROM sessions ORDER BY name"
    assert [name for (name,) in store.execute(names)] == ["anna", "bert"]
    assert not any((netproxy.state / "netproxy" / "approvals.db.gateways").iterdir())
    store.close()


@asynccontextmanager
async def gateway(
    path: Path, reviewer: Silent, config: Config
) -> AsyncIterator[tuple[ApprovalService, SqliteStore]]:
    store = SqliteStore(path, clock=SystemClock())
    service = ApprovalService(
        reviewers=(reviewer,), sink=ListSink(), clock=SystemClock(), store=store, config=config
    )
    async with service:
        yield service, store
    await store.close()


async def settled(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_gateways_of_one_session_ask_together_and_go_on_without_the_one_that_died(
    tmp_path: Path,
) -> None:
    path, config = tmp_path / "approvals.db", Config(poll_seconds=0.05)
    looking = replace(config, sweep_seconds=0.1)

    async def main() -> None:
        here, there = Silent(), Silent()
        async with (
            gateway(path, here, config) as (first, lost),
            gateway(path, there, looking) as (second, _),
            asyncio.TaskGroup() as tasks,
        ):
            session = await first.resume("ci")
            assert await second.resume("ci") == session

            def ask(service: ApprovalService, host: str) -> asyncio.Task[Outcome]:
                key = replace(KEY, session=session, host=host)
                return tasks.create_task(service.ask(replace(ASKING, key=key, session_name="ci")))

            # One question; the answer serves both.
            waits = [ask(first, "pypi.org")]
            await settled(lambda: here.inquiries)
            waits.append(ask(second, "pypi.org"))
            await settled(lambda: second.pending() and second.pending()[0].waiting)
            await asyncio.sleep(0.1)
            assert not there.inquiries
            approval_id = here.inquiries[0].question.approval_id
            assert second.pending()[0].question.approval_id == approval_id
            await second.decide(approval_id, answer(scope=Scope.SESSION, seen=1))
            assert [(await wait).allowed for wait in waits] == [True, True]
            await settled(lambda: first.grants() and first.grants() == second.grants())

            # Taken back in one, it holds in none.
            await first.revoke(first.grants()[0].grant_id, reviewer="bert", channel="cli")
            await settled(lambda: not second.grants())

            # Whoever asked dies: the other asks anew.
            gone = ask(first, "example.org")
            await settled(lambda: len(here.inquiries) == 2)
            orphan = ask(second, "example.org")
            await settled(lambda: second.pending() and second.pending()[0].waiting)
            await lost.database.close()
            lost._liveness.end(lost.gateway)
            await settled(lambda: there.inquiries)
            approval_id = there.inquiries[0].question.approval_id
            assert approval_id != here.inquiries[1].question.approval_id
            await second.decide(approval_id, answer(seen=1))
            assert (await orphan).allowed
            gone.cancel()

    asyncio.run(main())
