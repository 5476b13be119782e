"""Puts the store in order before the first question: a gateway that asks nothing never opens it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.feed import Feed
    from approvals.ports import Store
    from approvals.trail import Trail


class Opening:
    """Done once, by whoever comes first; tried again as long as it fails."""

    def __init__(self, store: Store, trail: Trail, feed: Feed) -> None:
        self._store = store
        self._trail = trail
        self._feed = feed
        self._beginning = asyncio.Lock()
        self._is_done = False

    async def ready(self) -> None:
        """Return when what dead gateways left is ended. Raises `StoreUnavailable`."""
        if self._is_done:
            return
        async with self._beginning:
            if not self._is_done:
                self._trail.swept(await self._store.sweep())
                await self._feed.start()
                self._is_done = True
