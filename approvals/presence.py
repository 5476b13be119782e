"""Whether a reviewer is there who answers by page, API or `approvals watch`.

A question counts as taken only while somebody reads: one who holds a stream open, or who asked
within the last half minute. Without that nobody would see it, and those who wait are told so.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from approvals.ports import Clock

# Pages without a stream ask every 5 s; a script that polls does so a few times a minute.
POLLING_SECONDS = 30.0


class Presence:
    """Counts readers. Lives in the service's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attached = 0
        self._polled: float | None = None
        self._arrivals: set[asyncio.Event] = set()

    @property
    def anybody(self) -> bool:
        """Whether a reader is there now."""
        if self._attached:
            return True
        return self._polled is not None and (
            self._clock.monotonic() - self._polled < POLLING_SECONDS
        )

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Somebody reads as long as this lasts."""
        self._attached += 1
        self._tell()
        try:
            yield
        finally:
            self._attached -= 1

    def polled(self) -> None:
        """Somebody looked at the questions."""
        self._polled = self._clock.monotonic()
        self._tell()

    async def arrived(self) -> None:
        """Return when a reader is there."""
        if self.anybody:
            return
        arrival = asyncio.Event()
        self._arrivals.add(arrival)
        try:
            await arrival.wait()
        finally:
            self._arrivals.discard(arrival)

    def _tell(self) -> None:
        for arrival in self._arrivals:
            arrival.set()
