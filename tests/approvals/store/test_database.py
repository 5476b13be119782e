from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from approvals.store.engine import Transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "approvals.db"


def added(transaction: Transaction) -> int:
    sql = "UPDATE last_change SET number = number + $1 RETURNING number"
    number: int = transaction.rows(sql, 1)[0][0]
    return number


def number(transaction: Transaction) -> int:
    found: int = transaction.rows("SELECT number FROM last_change")[0][0]
    return found


def test_what_was_written_is_there_for_the_next_who_opens_it(path: Path) -> None:
    async def main() -> None:
        first = Database(path)
        assert await asyncio.gather(*(first.write(added) for _ in range(300))) == [*range(1, 301)]
        assert await first.read(number) == 300
        await first.close()
        second = Database(path)
        assert await second.read(number) == 300
        await second.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await second.read(number)

    asyncio.run(main())


def test_two_gateways_share_the_file(path: Path) -> None:
    async def main() -> None:
        both = Database(path), Database(path)
        await asyncio.gather(*(one.write(added) for one in both for _ in range(100)))
        assert [await one.read(number) for one in both] == [200, 200]
        for one in both:
            await one.close()

    asyncio.run(main())


def test_a_reader_changes_nothing_and_an_error_names_the_file(path: Path) -> None:
    async def main() -> None:
        database = Database(path)
        with pytest.raises(StoreUnavailable, match="readonly") as refused:
            await database.read(added)
        assert str(refused.value).startswith(str(path))
        assert await database.read(number) == 0
        await database.close()

    asyncio.run(main())


def test_making_one_touches_nothing(path: Path) -> None:
    async def main() -> None:
        database = Database(path)
        await database.close()
        assert not path.parent.exists()

    asyncio.run(main())


def test_it_costs_no_sqlite_before_its_first_use() -> None:
    code = (
        "import asyncio, pathlib, sys; from approvals.store.database import Database;"
        "asyncio.run(Database(pathlib.Path('x')).close()); print('sqlite3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_it_is_as_durable_as_it_says(path: Path) -> None:
    async def main() -> list[tuple[int | str]]:
        database = Database(path)
        asked = ["synchronous", "foreign_keys", "busy_timeout", "trusted_schema", "journal_mode"]
        got = await database.write(lambda t: [t.rows(f"PRAGMA {name}")[0] for name in asked])
        await database.close()
        return got

    assert asyncio.run(main()) == [(2,), (1,), (2000,), (0,), ("wal",)]


def test_integrity_errors_are_the_works_own(path: Path) -> None:
    async def main() -> None:
        database = Database(path)
        with pytest.raises(sqlite3.IntegrityError):
            await database.write(lambda t: t.rows("INSERT INTO last_change VALUES (2, 0)"))
        await database.close()

    asyncio.run(main())
