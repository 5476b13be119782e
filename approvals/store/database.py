"""One SQLite file for all of a user's gateways, opened when it is first needed.

Durable: WAL with synchronous=FULL, so what was acknowledged survives kill -9 and a power cut.
Exact: every write is a transaction that begins with the write lock (BEGIN IMMEDIATE). Honest: a
file that is damaged, foreign, newer or gone is an error of one line, the old file stays as it is,
and whatever needed the store gets a no. When the cause is gone, the next call works again.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from approvals.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from approvals.store.engine import Transaction
    from approvals.store.worker import Worker


class Database:
    """`Engine` on one file. Making one touches nothing; the first use opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_closed = False

    @property
    def is_used(self) -> bool:
        """Whether anything was ever written, or tried to be."""
        return "_writer" in self.__dict__

    async def open(self) -> None:
        """Open it now, to know. Raises `StoreUnavailable` in one line that names the file."""
        await self.write(lambda _: None)

    async def write[T](self, work: Callable[[Transaction], T]) -> T:
        """See `Engine`."""
        self._check_open()
        return await self._run(self._writer, work)

    async def read[T](self, work: Callable[[Transaction], T]) -> T:
        """See `Engine`."""
        self._check_open()
        return await self._run(self._reader, work)

    async def close(self) -> None:
        """Finish what is queued and close the file. Later calls raise `StoreUnavailable`."""
        self._is_closed = True
        for worker in [self.__dict__.get(each) for each in ("_reader", "_writer")]:
            if worker is not None:
                await asyncio.to_thread(worker.stop)

    async def _run[T](self, worker: Worker, work: Callable[[Transaction], T]) -> T:
        try:
            return await worker.run(work)
        except StoreUnavailable as error:
            if str(error).startswith(str(self.path.parent)):
                raise
            raise StoreUnavailable(f"{self.path}: {error}") from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreUnavailable(f"{self.path}: the store was closed")

    # Imported here: sqlite3 takes some milliseconds, and most runs ask nothing.

    @cached_property
    def _writer(self) -> Worker:
        from approvals.store.connection import Connector
        from approvals.store.worker import Worker

        return Worker("approvals-writer", "BEGIN IMMEDIATE", Connector(self.path))

    @cached_property
    def _reader(self) -> Worker:
        from approvals.store.connection import Connector
        from approvals.store.worker import Worker

        return Worker("approvals-reader", "BEGIN", Connector(self.path, is_reader=True))
