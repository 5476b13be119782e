"""The store that a gateway uses: one SQLite file for all gateways of a user on this host."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from approvals.errors import StoreUnavailable
from approvals.store.database import Database
from approvals.store.liveness import LockedFiles
from approvals.store.sql import SqlStore

if TYPE_CHECKING:
    from pathlib import Path

    from approvals.ports import Clock


class SqliteStore(SqlStore):
    """Opened by the first call that needs it, or by `open`. `database` is for other tables."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self.database = Database(path)
        super().__init__(self.database, LockedFiles(path), clock)

    async def open(self) -> None:
        """Open it now, to know. Raises `StoreUnavailable` in one line that names the file."""
        await self.database.open()

    async def close(self) -> None:
        """Finish what is under way, and close. Files that were never used are not made."""
        if self.database.is_used:
            with suppress(StoreUnavailable):
                await self.leave()
        await self.database.close()
