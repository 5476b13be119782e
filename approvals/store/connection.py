"""A connection to the store's file that is open as long as that file is in its place.

Whoever opens it first checks the file and brings its tables up to date, alone among our processes.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from approvals.errors import StoreUnavailable
from approvals.store import place
from approvals.store.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path

# Another gateway's commit takes milliseconds; who waits longer than this is told.
BUSY_SECONDS: Final = 2.0
_PRAGMAS: Final = (
    # A commit that was acknowledged stays, whatever happens to the machine.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Fold the log into the file every 4 MiB, and give its room back.
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 4194304",
    # Nothing that stands in the file can make us run functions (sqlite.org/security.html).
    "PRAGMA trusted_schema = OFF",
)
_DAMAGED: Final = (
    "is damaged ({why}); move it away and start anew: the audit journal has the history"
)


class Connector:
    """Belongs to one thread: a connection of sqlite3 does."""

    def __init__(self, path: Path, *, is_reader: bool = False) -> None:
        self._path = path
        self._is_reader = is_reader
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)  # device and inode

    def connection(self) -> sqlite3.Connection:
        """The one to the file that is there now. Raises `StoreUnavailable` or sqlite3's errors."""
        if self._connection is None:
            self._connection = self._opened()
        self._check_in_place()
        return self._connection

    def drop(self) -> None:
        """Close it; the next call opens anew."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _check_in_place(self) -> None:
        """Without its name, the file that we hold would take everything and keep nothing."""
        if not place.is_still(self._path, self._identity):
            self.drop()
            raise StoreUnavailable("was removed or replaced while it was open")

    def _opened(self) -> sqlite3.Connection:
        self._identity = place.prepare(self._path)
        with place.alone(self._path):
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreUnavailable(f"can't keep a write-ahead log there ({mode})")
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            if self._is_reader:
                migrate(connection)
                connection.execute("PRAGMA query_only = ON")
            else:
                # Once in a process: it reads the whole file.
                _check(connection)
                migrate(connection)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise StoreUnavailable(_DAMAGED.format(why=error)) from error
            raise


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreUnavailable(_DAMAGED.format(why=" ".join(found.split())))
