"""The store's SQL on a real PostgreSQL: what SQLite is told, that takes as well."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from approvals.model import Scope, Verdict
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
