from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING, cast

import pytest

from approvals.errors import StoreUnavailable
from approvals.store.worker import HANG_SECONDS, Worker
from tests.support.late_loops import JumpingLoop, jump
from tests.support.loops import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.store.connection import Connector
    from approvals.store.engine import Transaction


class InMemory:
    """Stands in for `Connector`, and notes what is run."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.dropped = 0
        self._connection: sqlite3.Connection | None = None

    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(":memory:", isolation_level=None)
            self._connection.execute("CREATE TABLE kept (name text PRIMARY KEY)")
            self._connection.set_trace_callback(self.statements.append)
        return self._connection

    def drop(self) -> None:
        self.dropped += 1
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def writer(connector: InMemory) -> Worker:
    return Worker("test", "BEGIN IMMEDIATE", cast("Connector", connector))


def keep(name: str) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        transaction.rows("INSERT INTO kept VALUES ($1)", name)
        return name

    return work


def kept(transaction: Transaction) -> list[str]:
    return [name for (name,) in transaction.rows("SELECT name FROM kept ORDER BY name")]


def failing(name: str, error: Exception) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        keep(name)(transaction)
        raise error

    return work


class Held:
    """Work that goes on when it is let go, and shows when the thread has begun it."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _: Transaction) -> bool:
        self.began.set()
        return self.go_on.wait(PATIENCE_SECONDS)


def test_what_queues_up_shares_one_commit() -> None:
    connector = InMemory()
    held = Held()

    async def main() -> None:
        worker = writer(connector)
        first = asyncio.ensure_future(worker.run(held))
        await until(held.began.is_set)
        rest = asyncio.gather(*(worker.run(keep(f"{number}")) for number in range(100)))
        await asyncio.sleep(0)
        held.go_on.set()
        assert await first
        assert await rest == [str(number) for number in range(100)]
        worker.stop()

    asyncio.run(main())
    assert connector.statements.count("COMMIT") == 2


def test_one_that_fails_takes_only_itself_back() -> None:
    async def main() -> None:
        worker = writer(InMemory())
        told = await asyncio.gather(
            worker.run(keep("a")),
            worker.run(failing("b", KeyError("mine"))),
            worker.run(lambda t: t.rows("no SQL")),
            worker.run(keep("a")),
            worker.run(keep("c")),
            return_exceptions=True,
        )
        assert [type(one).__name__ for one in told] == [
            *("str", "KeyError", "OperationalError", "IntegrityError", "str")
        ]
        assert await worker.run(kept) == ["a", "c"]
        worker.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "drops"),
    [(sqlite3.SQLITE_FULL, 0), (sqlite3.SQLITE_BUSY, 0), (sqlite3.SQLITE_IOERR_FSYNC, 1)],
    ids=["full", "locked", "broken"],
)
def test_storage_that_fails_fails_all_and_they_can_try_again(code: int, drops: int) -> None:
    trouble = sqlite3.OperationalError("disk trouble")
    trouble.sqlite_errorcode = code
    connector = InMemory()

    async def main() -> None:
        worker, held = writer(connector), Held()
        before = asyncio.ensure_future(worker.run(held))
        await until(held.began.is_set)
        both = asyncio.gather(
            worker.run(keep("a")), worker.run(failing("b", trouble)), return_exceptions=True
        )
        await asyncio.sleep(0)
        held.go_on.set()
        assert await before
        told = await both
        assert [str(one) for one in told] == ["disk trouble"] * 2
        assert all(isinstance(one, StoreUnavailable) for one in told)
        assert await worker.run(kept) == []
        assert await worker.run(keep("a")) == "a"
        assert connector.dropped == drops
        worker.stop()

    asyncio.run(main())


def test_a_disk_that_hangs_is_a_no_at_once_and_nothing_of_it_holds_later() -> None:
    held = Held()

    def slow(transaction: Transaction) -> bool:
        keep("too late")(transaction)
        return held(transaction)

    async def main() -> None:
        worker = writer(InMemory())
        waits = [asyncio.ensure_future(worker.run(work)) for work in (slow, keep("behind it"))]
        await until(held.began.is_set)
        jump(HANG_SECONDS)
        for wait in waits:
            with pytest.raises(StoreUnavailable, match="no answer"):
                await wait
        assert worker._busy_since is not None
        worker._busy_since -= HANG_SECONDS  # its thread goes by the machine's clock
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await worker.run(kept)
        held.go_on.set()
        await until(lambda: not worker._hangs())
        assert await worker.run(kept) == []
        worker.stop()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())


def test_who_no_longer_waits_changes_nothing_for_the_rest() -> None:
    held = Held()

    async def main() -> None:
        worker = writer(InMemory())
        first = asyncio.ensure_future(worker.run(held))
        cancelled = asyncio.ensure_future(worker.run(keep("a")))
        await asyncio.sleep(0)
        cancelled.cancel()
        held.go_on.set()
        await first
        assert await worker.run(kept) == ["a"]
        worker.stop()
        with pytest.raises(StoreUnavailable, match="closed"):
            await worker.run(kept)

    asyncio.run(main())


def test_a_loop_that_is_gone_is_not_told() -> None:
    held = Held()
    connector = InMemory()
    worker = writer(connector)

    async def main() -> None:
        first = asyncio.ensure_future(worker.run(held))
        await asyncio.sleep(0)
        first.cancel()

    asyncio.run(main())
    held.go_on.set()
    assert asyncio.run(worker.run(kept)) == []
    worker.stop()
