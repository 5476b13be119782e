"""The store's SQL on a real PostgreSQL: what SQLite is told, that takes as well."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from approvals.model import GrantEnd, Scope, Verdict
from approvals.store.sql import KEPT_SECONDS, SqlStore
from tests.support.approvals import answer
from tests.support.people import open_folder, remove
from tests.support.postgres import PostgresEngine, cluster, migrated, program
from tests.support.statements import statements
from tests.support.store_contract import Hands, StoreContract, granted, pending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = [
    pytest.mark.xdist_group("postgres"),
    pytest.mark.skipif(program("postgres") is None, reason="needs Debian's package postgresql"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    folder = open_folder()
    try:
        with cluster(folder) as name:
            migrated(name)
            yield name
    finally:
        remove(folder)


class Everybody:
    """Liveness for the time being: a heartbeat is what PostgreSQL will need."""

    def begin(self, gateway: str) -> None: ...

    def is_live(self, gateway: str) -> bool:
        return True

    def end(self, gateway: str) -> None: ...


class Nobody(Everybody):
    """So that each sweep ends what the others are about to answer."""

    def is_live(self, gateway: str) -> bool:
        return False


class TestPostgres(StoreContract):
    @pytest.fixture(autouse=True)
    def tables(self, server: str) -> None:
        self.name = server
        migrated(server)

    @asynccontextmanager
    async def opened(self, clock: Hands) -> AsyncIterator[SqlStore]:
        engine = PostgresEngine(self.name)
        yield SqlStore(engine, Everybody(), clock)
        await engine.close()


async def answer_at_once(store: SqlStore, name: str) -> None:
    """Ask three, sweep what others ask, answer what is left: over and over."""
    for number in range(12):
        asked = [pending(f"a-{name}-{number}-{n}", host=f"{n}.{name}.org") for n in range(3)]
        records = await asyncio.gather(*(store.add(each) for each in asked))
        for record in reversed(records):
            after, left = granted(record, answer(Verdict.ALLOW, Scope.SESSION))
            if await store.replace(record, after, grant=left):
                await store.end_grant(left, GrantEnd.REVOKED)
        await store.add(pending(f"a-{name}-{number}-open", host=f"open.{name}.org"))
        await store.sweep()


async def follow(store: SqlStore, writing: asyncio.Task[object]) -> None:
    """Read the feed while it grows: no number is ever missing below one that was seen."""
    seen = 0
    while True:
        was_done = writing.done()
        found = await store.changes(seen, limit=1000)
        assert [each.number for each in found] == list(range(seen + 1, seen + 1 + len(found)))
        seen += len(found)
        if was_done and not found:
            assert seen == await store.last_change()
            return


def test_gateways_that_write_at_once_block_nobody_and_the_feed_skips_nothing(server: str) -> None:
    migrated(server)

    async def main() -> None:
        engines = [PostgresEngine(server) for _ in range(5)]
        reader, *writers = (SqlStore(engine, Nobody(), Hands()) for engine in engines)
        async with asyncio.TaskGroup() as tasks:

            async def write() -> None:
                await asyncio.gather(
                    *(answer_at_once(each, f"{n}") for n, each in enumerate(writers))
                )

            writing = tasks.create_task(write())
            await follow(reader, writing)
        for engine in engines:
            await engine.close()

    asyncio.run(main())


def test_what_a_gateway_leaves_is_ended_and_removed_in_time_there_too(server: str) -> None:
    migrated(server)

    async def main() -> None:
        clock, engine = Hands(), PostgresEngine(server)
        store = SqlStore(engine, Everybody(), clock)
        session, _ = await store.resume("nightly")
        await store.add(pending("a-98"))
        record = await store.add(pending("a-99", session=session))
        after, left = granted(record, answer(Verdict.ALLOW, Scope.RUN))
        await store.replace(record, after, grant=left)
        swept = await store.leave()
        assert [each.question.approval_id for each in swept.withdrawn] == ["a-98"]
        assert swept.ended == (left,)
        clock.now += 2 * KEPT_SECONDS
        await store.sweep()
        assert await store.recent(limit=9) == ()
        await engine.close()

    asyncio.run(main())


def test_it_takes_every_statement(server: str) -> None:
    refused = []
    found = list(statements())
    with psycopg.connect(server, autocommit=True) as connection:
        for number, (module, sql) in enumerate(found):
            try:
                connection.execute(f"PREPARE s{number} AS {sql}".encode())
            except psycopg.Error as error:
                refused.append(f"{module}: {error}\n{sql}")
    assert not refused, "\n\n".join(refused)
