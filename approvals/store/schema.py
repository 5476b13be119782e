"""The tables, as numbered SQL files that are applied once each and then never change.

Each file's SHA-256 is kept with its number, so a store that a newer or another netproxy made is
refused instead of guessed at; so is one whose tables are not what the files make. All that is
missing is applied in one transaction. The files' SQL is such that PostgreSQL takes it, too.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from approvals.errors import StoreUnavailable
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")
_OWN: Final = """CREATE TABLE IF NOT EXISTS schema_migrations (
    version bigint NOT NULL PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL
)"""
_KNOWN: Final = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
_NOTE: Final = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of its text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """One after the other, without comments between them."""
        text = ""
        for line in self.sql.splitlines(keepends=True):
            if text or (line.strip() and not line.startswith("--")):
                text += line
            if text and sqlite3.complete_statement(text):
                yield text.strip().removesuffix(";")
                text = ""


@cache
def migrations() -> tuple[Migration, ...]:
    """Every file of this netproxy, in order."""
    folder = resources.files("approvals.store") / "migrations"
    found = [
        Migration(version=int(name[1]), name=name[0], sql=file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (name := _NAME.fullmatch(file.name)) is not None
    ]
    return tuple(sorted(found, key=lambda migration: migration.version))


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, or change nothing.

    Raises `StoreUnavailable`, in one line that says what to do, for tables that aren't ours.
    """
    if _is_current(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_OWN)
        for migration in _missing(connection, migrations()):
            for statement in migration.statements():
                connection.execute(statement)
            values = (migration.version, migration.name, migration.checksum)
            connection.execute(_NOTE, {str(at): value for at, value in enumerate(values, 1)})
        _check_shape(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_current(connection: sqlite3.Connection) -> bool:
    if ("schema_migrations",) not in connection.execute(_TABLES).fetchall():
        return False
    if _missing(connection, migrations()):
        return False
    _check_shape(connection)
    return True


_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"


def _missing(connection: sqlite3.Connection, known: tuple[Migration, ...]) -> tuple[Migration, ...]:
    """What is yet to be applied. Raises `StoreUnavailable` when what was applied isn't ours."""
    applied = connection.execute(_KNOWN).fetchall()
    if len(applied) > len(known):
        raise StoreUnavailable(
            f"a newer netproxy wrote it (schema {applied[-1][0]}, this one knows"
            f" {known[-1].version}); use that one, or move the file away and start anew"
        )
    for (version, name, checksum), ours in zip(applied, known, strict=False):
        if (version, checksum) != (ours.version, ours.checksum):
            raise StoreUnavailable(
                f"its schema ({name}) is not this netproxy's ({ours.name}); use the netproxy that"
                " wrote it, or move the file away and start anew"
            )
    return known[len(applied) :]


def _check_shape(connection: sqlite3.Connection) -> None:
    """An index that somebody dropped would not be missed by any query, only by the safety."""
    if _shape(connection) != _expected(migrations()):
        raise StoreUnavailable(
            "its tables were changed by another program; move the file away and start anew"
        )


def _shape(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND"
        " substr(name, 1, 7) <> 'sqlite_' ORDER BY type, name"
    ).fetchall()


@cache
def _expected(known: tuple[Migration, ...]) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(_OWN)
        for migration in known:
            for statement in migration.statements():
                connection.execute(statement)
        return _shape(connection)
    finally:
        connection.close()
