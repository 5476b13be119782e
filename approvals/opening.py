"""Puts the store in order before the first question: a gateway that asks nothing never opens it.

And again every now and then: what a gateway left that was killed meanwhile waits for nobody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.feed import Feed
    from approvals.ports import Clock, Store
    from approvals.trail import Trail


class Opening:
    """Done by whoever comes first; tried again as long as it fails."""

    def __init__(
        self, store: Store, trail: Trail, feed: Feed, clock: Clock, *, sweep_seconds: float
    ) -> None:
        self._store = store
        self._trail = trail
        self._feed = feed
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._turn = asyncio.Lock()
        self._swept: float | None = None  # when, by the monotonic clock

    async def ready(self) -> None:
        """Return when what dead gateways left is ended. Raises `StoreUnavailable`."""
        if self._is_in_order():
            return
        async with self._turn:
            if self._is_in_order():
                return
            self._trail.swept(await self._store.sweep())
            if self._swept is None:
                await self._feed.start()
            self._swept = self._clock.monotonic()

    def _is_in_order(self) -> bool:
        swept = self._swept
        return swept is not None and self._clock.monotonic() - swept < self._sweep_seconds
