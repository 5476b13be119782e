"""A thread with a database connection of its own: runs what is queued, transaction by transaction.

What queues up while one transaction is under way shares the next: one commit, one wait for the
disk, however many callers. Each piece of work stands in a savepoint, so that one that fails takes
nothing of the others along. Storage that fails (full, broken, locked by somebody else) fails the
whole transaction, and everybody in it is told the same.

SQLite's calls block, and asyncio has no files: hence a thread, and hence plain functions as work.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from approvals.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.store.connection import Connector
    from approvals.store.engine import Row, Transaction, Value

# The connection waits 2 s for another process's lock; a disk that takes longer than this hangs.
HANG_SECONDS: Final = 4.0
# One transaction's share: about 5 ms of work, so that nobody waits long behind others.
_MOST_WORK: Final = 128
_STOP_SECONDS: Final = 2.0
# The storage is in trouble, not the statement (sqlite.org/rescode.html).
_STORAGE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
# These pass by themselves, and the connection is none the worse.
_PASSING: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_LOCKED)
_PRIMARY_CODE: Final = 0xFF  # the low byte; what is above it says more


class _Job:
    """One piece of work, who waits for it, and how it ended."""

    __slots__ = ("error", "future", "is_abandoned", "loop", "value", "work")

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.is_abandoned = False
        self.value: Any = None
        self.error: Exception | None = None

    def settle(self) -> None:
        """Tell whoever waits, in the loop's own thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class SqliteTransaction:
    """`Transaction` on SQLite, whose `$1` is a name (sqlite.org/lang_expr.html#varparam)."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *params: Value) -> list[Row]:
        """Run one statement."""
        named = {str(number): value for number, value in enumerate(params, 1)}
        return self._connection.execute(sql, named).fetchall()


class Worker:
    """Runs work on a connection of its own, from a daemon thread that starts with the first."""

    def __init__(self, name: str, begin: str, connector: Connector) -> None:
        """`begin` is what starts a transaction."""
        self._name = name
        self._begin = begin
        self._connector = connector
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._busy_since: float | None = None
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    async def run[T](self, work: Callable[[Transaction], T]) -> T:
        """Do `work` in a transaction. Raises what it raises, and `StoreUnavailable`."""
        if self._hangs():
            raise StoreUnavailable("the disk does not answer")
        job = _Job(work)
        with self._changed:
            if self._is_stopping:
                raise StoreUnavailable("the store was closed")
            self._jobs.append(job)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()
        try:
            async with asyncio.timeout(HANG_SECONDS):
                value: T = await job.future
                return value
        except TimeoutError:
            job.is_abandoned = True
            raise StoreUnavailable(f"no answer within {HANG_SECONDS:.0f} s") from None

    def stop(self) -> None:
        """Do what is queued, and end the thread. A thread that hangs is left behind."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _hangs(self) -> bool:
        since = self._busy_since
        return since is not None and time.monotonic() - since > HANG_SECONDS

    def _loop(self) -> None:
        while (jobs := self._next()) is not None:
            self._busy_since = time.monotonic()
            try:
                self._transact(self._connector.connection(), jobs)
            except Exception as error:  # noqa: BLE001  # a thread's root: whoever waits is told
                self._failed(error, jobs)
            self._busy_since = None
            _tell(jobs)
        self._connector.drop()

    def _next(self) -> list[_Job] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._is_stopping)
            if not self._jobs:
                return None
            taken = [self._jobs.popleft() for _ in range(min(len(self._jobs), _MOST_WORK))]
        return [job for job in taken if not job.is_abandoned]

    def _failed(self, error: Exception, jobs: list[_Job]) -> None:
        for job in jobs:
            job.error = _translated(error)
        if is_storage_trouble(error) and _code(error) not in _PASSING:
            with suppress(sqlite3.Error):
                self._connector.drop()  # opened and checked anew by the next one

    def _transact(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        connection.execute(self._begin)
        try:
            for job in jobs:
                _perform(connection, job)
            # Their callers were told that it failed: it must not hold later.
            abandoned = all(job.is_abandoned for job in jobs)
            connection.execute("ROLLBACK" if abandoned else "COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _perform(connection: sqlite3.Connection, job: _Job) -> None:
    connection.execute("SAVEPOINT work")
    try:
        job.value = job.work(SqliteTransaction(connection))
    except Exception as error:
        if not connection.in_transaction or is_storage_trouble(error):
            raise  # SQLite gave up the whole transaction, or is about to
        job.error = _translated(error)
        connection.execute("ROLLBACK TO work")
    connection.execute("RELEASE work")


def is_storage_trouble(error: Exception) -> bool:
    """Whether the disk or the file is at fault, and not the statement."""
    return _code(error) in _STORAGE


def _code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY_CODE


def _translated(error: Exception) -> Exception:
    if not (isinstance(error, OSError) or is_storage_trouble(error)):
        return error
    unavailable = StoreUnavailable(str(error))
    unavailable.__cause__ = error
    return unavailable


def _tell(jobs: list[_Job]) -> None:
    waiting: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        waiting.setdefault(job.loop, []).append(job)
    for loop, told in waiting.items():
        with suppress(RuntimeError):  # a loop that was closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, told)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()
