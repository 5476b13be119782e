"""Where a gateway keeps its approvals: the file that the settings name, or nowhere.

Making the store touches nothing: a run that asks nobody never opens the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from approvals.ports import Clock
    from approvals.store.memory import MemoryStore
    from approvals.store.sqlite import SqliteStore


def store_at(path: Path | None, clock: Clock) -> SqliteStore | MemoryStore:
    """The store in this file; None: one that ends with the process."""
    if path is None:
        from approvals.store.memory import MemoryStore

        return MemoryStore(clock.wall)
    from approvals.store.sqlite import SqliteStore

    return SqliteStore(path, clock=clock)
