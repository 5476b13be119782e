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


def resumed(path: Path, name: str, clock: Clock) -> str:
    """The id of a named session, for whoever has no loop yet. Raises `StoreUnavailable`."""
    import asyncio

    async def look() -> str:
        store = store_at(path, clock)
        try:
            session_id, _ = await store.resume(name)
        finally:
            await store.close()
        return session_id

    return asyncio.run(look())


def store_at(path: Path | None, clock: Clock) -> SqliteStore | MemoryStore:
    """The store in this file; None: one that ends with the process."""
    if path is None:
        from approvals.store.memory import MemoryStore

        return MemoryStore(clock.wall)
    from approvals.store.sqlite import SqliteStore

    return SqliteStore(path, clock=clock)
