"""The feed of changes: each has the next number, given out inside the transaction that it is of.

Whoever takes a number holds the counter's row until the commit, so numbers become visible in their
order, with none missing: a reader that saw number n has seen all below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from approvals.model import Change, ChangeKind

if TYPE_CHECKING:
    from approvals.store.engine import Transaction

_TAKE: Final = "UPDATE last_change SET number = number WHERE one = 1"
_NEXT: Final = "UPDATE last_change SET number = number + 1 WHERE one = 1 RETURNING number"
_ADD: Final = "INSERT INTO changes (number, kind, ref, at) VALUES ($1, $2, $3, $4)"
_LAST: Final = "SELECT number FROM last_change WHERE one = 1"
_AFTER: Final = (
    "SELECT number, kind, ref, at FROM changes WHERE number > $1 ORDER BY number LIMIT $2"
)


def take(transaction: Transaction) -> None:
    """Take the counter: before any row that is changed.

    Transactions that change several rows then follow each other, and never wait for each other in a
    circle, which PostgreSQL would break by failing one of them.
    """
    transaction.rows(_TAKE)


def note(transaction: Transaction, kind: ChangeKind, ref: str, at: float) -> None:
    """Add one. `at` in seconds since the epoch."""
    ((number,),) = transaction.rows(_NEXT)
    transaction.rows(_ADD, number, kind.value, ref, at)


def last(transaction: Transaction) -> int:
    """The newest number, 0 before the first."""
    ((number,),) = transaction.rows(_LAST)
    return int(number)


def behind(transaction: Transaction, number: int, limit: int) -> tuple[Change, ...]:
    """The first ones behind `number`, in order."""
    return tuple(
        Change(number=found, kind=ChangeKind(kind), ref=ref, at=at)
        for found, kind, ref, at in transaction.rows(_AFTER, number, limit)
    )
