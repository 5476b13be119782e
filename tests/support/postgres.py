"""A real PostgreSQL of our own: a cluster in a temporary folder, reached by a unix socket.

Run by an ordinary user (it refuses root), without fsync: nothing here is to last.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from approvals.store import schema
from tests.support.people import myself, ordinary_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from approvals.store.engine import Row, Transaction, Value

PATIENCE_SECONDS = 20.0
_OPTIONS = ("fsync=off", "max_connections=10", "shared_buffers=4MB")


def program(name: str) -> str | None:
    """Debian keeps the servers' programs out of the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(places[-1]) if places else shutil.which(name)


@contextmanager
def cluster(base: Path, *, port: int | None = None) -> Iterator[str]:
    """Serve from a folder in `base`; the connection string. The server is gone afterwards.

    With a port it is reached over TCP on the loopback, too.
    """
    addresses = (
        ("listen_addresses=",) if port is None else ("listen_addresses=127.0.0.1", f"port={port}")
    )
    person = ordinary_user(base) if os.getuid() == 0 else myself(base)
    folder = person.owns(base / "postgres")
    data, log = folder / "data", base / "postgres.log"
    initdb = [*person.prefix, program("initdb"), "-D", data, "-U", "netproxy", "-A", "trust"]
    with log.open("wb") as output:
        made = _started([*initdb, "-E", "UTF8", "--locale=C", "--no-sync"], folder, output)
        assert made.wait(PATIENCE_SECONDS) == 0, log.read_text()
        options = [part for option in (*_OPTIONS, *addresses) for part in ("-c", option)]
        command = [*person.prefix, program("postgres"), "-D", data, "-k", folder, *options]
        server = _started(command, folder, output)
    try:
        name = f"host={folder} user=netproxy dbname=postgres"
        name += "" if port is None else f" port={port}"
        _wait_for(name, server, log)
        yield name
    finally:
        server.send_signal(signal.SIGINT)  # at once, whoever is still connected
        server.wait(PATIENCE_SECONDS)


def migrated(name: str) -> None:
    """Make the store's tables, from the same files that SQLite gets."""
    import psycopg

    with psycopg.connect(name, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        for migration in schema.migrations():
            for statement in migration.statements():
                connection.execute(statement)


class PostgresEngine:
    """`approvals.store.engine.Engine` on PostgreSQL, as plainly as that can be."""

    def __init__(self, name: str) -> None:
        import psycopg

        self._connection = psycopg.connect(name, autocommit=True, cursor_factory=psycopg.RawCursor)
        self._turn = threading.Lock()

    async def write[T](self, work: Callable[[Transaction], T]) -> T:
        return await asyncio.to_thread(self._run, work)

    read = write

    async def close(self) -> None:
        self._connection.close()

    def _run[T](self, work: Callable[[Transaction], T]) -> T:
        with self._turn, self._connection.transaction():
            return work(_Transaction(self._connection))


class _Transaction:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def rows(self, sql: str, *params: Value) -> list[Row]:
        cursor = self._connection.execute(sql.encode(), params)
        return cursor.fetchall() if cursor.description else []


def _started(command: list[Any], folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    words = [str(part) for part in command]
    return subprocess.Popen(words, stdout=output, stderr=output, cwd=folder)


def _wait_for(name: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(name, autocommit=True).close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        else:
            return
