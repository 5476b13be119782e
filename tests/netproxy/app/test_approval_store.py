from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from approvals import MemoryStore, SystemClock
from netproxy.app.approval_store import store_at

if TYPE_CHECKING:
    from pathlib import Path


def test_where_no_file_is_named_nothing_is_kept() -> None:
    store = store_at(None, SystemClock())
    assert isinstance(store, MemoryStore)
    asyncio.run(store.open())
    asyncio.run(store.close())


def test_a_file_is_touched_when_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "state" / "approvals.db"

    async def main() -> None:
        store = store_at(path, SystemClock())
        assert not path.parent.exists()
        await store.open()
        assert path.exists()
        await store.close()

    asyncio.run(main())
