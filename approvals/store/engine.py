"""What the store's code asks of a database: SQL in, rows out, a whole transaction or nothing.

`approvals.store.database` fills it with SQLite. The SQL is text that PostgreSQL takes, too (the
tests run every statement there): `$1` for parameters, `bigint`, `double precision` and `text` for
types, seconds since the epoch for times, 0 and 1 for no and yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    type Value = str | int | float | bytes | None
    type Row = tuple[Any, ...]


class Transaction(Protocol):
    """One transaction, as the code inside it sees it. Not to be kept."""

    def rows(self, sql: str, *params: Value) -> list[Row]:
        """Run one statement with `$1`… and give all its rows (with RETURNING: of a write, too)."""


class Engine(Protocol):
    """Runs plain functions inside transactions, beside the event loop.

    Both methods raise `StoreUnavailable` when the database can't do it, and whatever `work` raises;
    then nothing of this `work` stays. Cancelling the wait doesn't take it back.
    """

    async def write[T](self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns, once its changes are on the disk."""

    async def read[T](self, work: Callable[[Transaction], T]) -> T:
        """What `work` returns; it sees one moment and changes nothing."""
