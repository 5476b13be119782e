from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.model import GrantEnd, Scope, Status, Verdict
from approvals.store import sql
from approvals.store.sqlite import SqliteStore
from tests.support.approvals import answer
from tests.support.store_contract import PENDING, Hands, StoreContract, granted, pending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = 86_400.0


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "approvals.db"

    @asynccontextmanager
    async def opened(self, clock: Hands) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(self.path, clock=clock)
        yield store
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "approvals.db"


def lost(store: SqliteStore) -> None:
    """As if its process had been killed: the kernel frees the lock, and nobody says goodbye."""
    store._liveness.end(store.gateway)


async def count(store: SqliteStore, table: str) -> int:
    found = await store.database.read(lambda t: t.rows("SELECT count(*) FROM " + table))
    return int(found[0][0])


def test_what_a_killed_gateway_left_is_ended(path: Path) -> None:
    async def main() -> None:
        clock = Hands()
        killed, other = (SqliteStore(path, clock=clock) for _ in range(2))
        session, _ = await killed.resume("ci")
        await killed.add(PENDING)
        left = {}
        for name, where, scope in (
            ("a-2", "s-1", Scope.SESSION),
            ("a-3", session, Scope.SESSION),
            ("a-4", session, Scope.RUN),
        ):
            record = await killed.add(pending(name, session=where, host=f"{name}.org"))
            after, left[name] = granted(record, answer(Verdict.ALLOW, scope))
            await killed.replace(record, after, grant=left[name])
        kept = await other.add(pending("a-5", session="s-2"))

        assert await other.sweep() == await other.sweep()
        lost(killed)
        clock.now = 2000.0
        swept = await other.sweep()
        assert [each.question.approval_id for each in swept.withdrawn] == ["a-1"]
        assert [each.approval_id for each in swept.ended] == ["a-2", "a-4"]
        assert await other.held() == (left["a-3"],)
        assert await other.resume("ci") == (session, (left["a-3"],))
        withdrawn = await other.find("a-1")
        assert withdrawn is not None
        assert (withdrawn.status, withdrawn.version) == (Status.WITHDRAWN, 2)
        assert withdrawn.ended_at == 2000.0
        assert await other.find("a-5") == kept
        assert (await other.sweep()).withdrawn == ()
        await other.close()
        await killed.close()

    asyncio.run(main())


def test_one_that_was_taken_for_dead_is_alive_by_what_it_does(path: Path) -> None:
    async def main() -> None:
        first, second = (SqliteStore(path, clock=Hands()) for _ in range(2))
        await first.add(PENDING)
        lost(first)
        assert len((await second.sweep()).withdrawn) == 1
        await first.add(pending("a-2"))
        assert (await second.sweep()).withdrawn == ()
        lost(first)
        assert [each.question.approval_id for each in (await second.sweep()).withdrawn] == ["a-2"]
        for store in (first, second):
            await store.close()

    asyncio.run(main())


def test_two_gateways_of_one_session_share_question_answer_and_grant(path: Path) -> None:
    async def main() -> None:
        first, second = (SqliteStore(path, clock=Hands()) for _ in range(2))
        session, _ = await first.resume("ci")
        assert (await second.resume("ci"))[0] == session
        asked = await first.add(pending("a-1", session=session))
        joined = await second.add(pending("a-2", session=session))
        assert joined == asked
        assert joined.gateway == first.gateway != second.gateway
        seen = await second.last_change()
        after, left = granted(joined)
        assert await first.replace(asked, after, grant=left)
        assert not await second.replace(joined, after, grant=left)
        assert [each.ref for each in await second.changes(seen, limit=9)] == ["a-1", "g-1"]
        assert await second.held() == (left,)
        await first.close()
        assert await second.held() == (left,)
        await second.close()

    asyncio.run(main())


def test_who_leaves_leaves_nothing_open(path: Path) -> None:
    async def main() -> None:
        first, second = (SqliteStore(path, clock=Hands()) for _ in range(2))
        await first.add(PENDING)
        await first.close()
        found = await second.find("a-1")
        assert found is not None
        assert found.status is Status.WITHDRAWN
        assert (await second.sweep()).withdrawn == ()
        await second.close()
        with pytest.raises(StoreUnavailable):
            await second.sweep()
        assert sorted(each.name for each in path.parent.iterdir()) == [
            "approvals.db",
            "approvals.db.gateways",
        ]
        assert list(path.with_name("approvals.db.gateways").iterdir()) == []

    asyncio.run(main())


def test_one_that_was_not_used_leaves_no_file(path: Path) -> None:
    async def main() -> None:
        await SqliteStore(path, clock=Hands()).close()
        assert list(path.parent.iterdir()) == []

    asyncio.run(main())


def test_what_is_old_and_over_is_removed_a_little_at_a_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_PRUNED_AT_ONCE", 2)

    async def main() -> None:
        clock = Hands()
        old = SqliteStore(path, clock=clock)
        session, _ = await old.resume("ci")
        for number in range(4):
            where = session if number == 3 else "s-1"
            record = await old.add(pending(f"a-{number}", session=where))
            after, left = granted(record)
            await old.replace(record, after, grant=left)
            if number < 3:
                await old.end_grant(left, GrantEnd.EXPIRED)
        last = await old.last_change()
        await old.close()
        store = SqliteStore(path, clock=clock)
        clock.now += 29 * DAY
        await store.sweep()
        assert await count(store, "approvals") == 4
        clock.now += 2 * DAY
        await store.sweep()
        assert await count(store, "approvals") == 2
        for _ in range(8):
            await store.sweep()
        tables = ("approvals", "grants", "changes", "sessions", "gateways")
        # The grant that holds stays, with what it refers to.
        assert [await count(store, table) for table in tables] == [1, 1, 0, 1, 2]
        assert len(await store.held()) == 1
        assert await store.last_change() == last
        await store.close()

    asyncio.run(main())


def test_numbers_of_a_failed_change_are_given_out_again(path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(path, clock=Hands())
        record = await store.add(PENDING)
        after, left = granted(record)
        broken = replace(left, approval_id="nobody's")
        with pytest.raises(Exception, match="FOREIGN KEY"):
            await store.replace(record, after, grant=broken)
        assert await store.find("a-1") == record
        assert await store.replace(record, after, grant=left)
        assert [each.number for each in await store.changes(0, limit=9)] == [1, 2, 3]
        await store.close()

    asyncio.run(main())


def test_a_clock_that_is_set_back_mixes_nothing_up(path: Path) -> None:
    async def main() -> None:
        clock = Hands()
        store = SqliteStore(path, clock=clock)
        record = await store.add(PENDING)
        clock.now -= 3600.0
        after, left = granted(record)
        assert await store.replace(record, after, grant=left)
        assert await store.end_grant(left, GrantEnd.REVOKED)
        assert not await store.replace(record, after)
        assert [each.number for each in await store.changes(0, limit=9)] == [1, 2, 3, 4]
        await store.close()

    asyncio.run(main())
