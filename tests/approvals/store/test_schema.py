from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.store import schema
from approvals.store.schema import Migration, migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    yield made
    made.close()


def shape(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()


def more(sql: str) -> tuple[Migration, ...]:
    known = migrations()
    return (*known, Migration(version=known[-1].version + 1, name="next", sql=sql))


def test_files_are_numbered_without_a_gap() -> None:
    assert [one.version for one in migrations()] == list(range(1, len(migrations()) + 1))


def test_it_is_done_once(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before, changes = shape(connection), connection.total_changes
    migrate(connection)
    assert (shape(connection), connection.total_changes) == (before, changes)


def test_what_is_new_is_added(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    both = more(
        "-- A note; with a semicolon.\nCREATE TABLE one (a text);\n\nCREATE TABLE two (b text);"
    )
    monkeypatch.setattr(schema, "migrations", lambda: both)
    migrate(connection)
    assert connection.execute("SELECT * FROM one, two").fetchall() == []
    assert connection.execute("SELECT max(version) FROM schema_migrations").fetchone() == (
        both[-1].version,
    )


def test_one_that_fails_leaves_nothing_of_any(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = more("CREATE TABLE one (a text);\nCREATE TABLE one (a text);\n")
    monkeypatch.setattr(schema, "migrations", lambda: broken)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection)
    assert shape(connection) == []


def test_a_newer_store_is_left_alone(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        both = more("CREATE TABLE one (a text);")
        newer.setattr(schema, "migrations", lambda: both)
        migrate(connection)
    before = shape(connection)
    with pytest.raises(StoreUnavailable, match=r"newer netproxy wrote it \(schema .*move the file"):
        migrate(connection)
    assert shape(connection) == before


def test_another_netproxys_schema_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection)
    connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(StoreUnavailable, match=r"its schema \(0001_core.sql\) is not"):
        migrate(connection)


@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX approvals_open",
        "CREATE TRIGGER yes AFTER INSERT ON approvals BEGIN DELETE FROM grants; END",
        "ALTER TABLE grants ADD COLUMN extra text",
    ],
    ids=["index", "trigger", "column"],
)
def test_tables_that_were_changed_are_not_used(connection: sqlite3.Connection, change: str) -> None:
    migrate(connection)
    connection.execute(change)
    with pytest.raises(StoreUnavailable, match="changed by another program"):
        migrate(connection)


def test_another_programs_file_is_left_as_it_is(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE theirs (a text)")
    with pytest.raises(StoreUnavailable, match="changed by another program"):
        migrate(connection)
    assert shape(connection) == [("CREATE TABLE theirs (a text)",)]
