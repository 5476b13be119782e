"""What changed, told to whoever looks: pages, watchers, senders. One source, the store's changes.

Each reader has a bounded queue of its own. One that is too slow is told to look at everything
anew; nobody ever waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakSet

from approvals.model import Change, ChangeKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.ports import Clock, Store

# So many changes at once are read from the store.
_PAGE = 256
# A page that shows 64 questions of four sessions changes less often than this between two frames.
_ROOM = 1024
_STORED = frozenset(ChangeKind) - {ChangeKind.WAITING, ChangeKind.FLOOD, ChangeKind.RESYNC}


class Feed:
    """The readers, and how far the store's changes were told to them."""

    def __init__(self, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` is called when somebody reads and there may be something to tell."""
        self._store = store
        self._clock = clock
        self._wake = wake
        self._readers: WeakSet[Reading] = WeakSet()
        self._told = 0

    @property
    def is_read(self) -> bool:
        """Whether anybody reads."""
        return any(not each.is_closed for each in self._readers)

    async def start(self) -> None:
        """Tell what comes from now on. Raises `StoreUnavailable`."""
        self._told = await self._store.last_change()

    async def advance(self) -> list[Change]:
        """Tell what the store has that nobody was told; return it. Raises `StoreUnavailable`."""
        found: list[Change] = []
        while page := await self._store.changes(self._told, limit=_PAGE):
            self._told = page[-1].number
            for change in page:
                self._publish(change)
            found += page
            if len(page) < _PAGE:
                break
        return found

    def changed(self) -> None:
        """The store has something new of ours: readers are told at once."""
        if self.is_read:
            self._wake()

    def tell(self, kind: ChangeKind, ref: str) -> None:
        """Tell what is not stored."""
        if self._readers:
            self._publish(Change(number=self._told, kind=kind, ref=ref, at=self._clock.wall()))

    def read(self, after: int | None) -> Reading:
        """What changes from now on, or behind that number."""
        reading = Reading(self._store, after)
        self._readers.add(reading)
        self._wake()
        return reading

    def _publish(self, change: Change) -> None:
        for reading in self._readers:
            reading.put(change)


class Reading:
    """One reader's view of the feed: an asynchronous iterator that never ends by itself."""

    def __init__(self, store: Store, after: int | None, *, room: int = _ROOM) -> None:
        self._store = store
        self._behind = after  # replayed so far; None: nothing is
        self._replay: deque[Change] = deque()
        self._is_replayed = after is None
        self._queue: deque[Change] = deque()
        self._waiting: set[str] = set()  # of which one notice is in the queue: enough
        self._room = room
        self._arrived = asyncio.Event()
        self.is_closed = False

    def put(self, change: Change) -> None:
        """Add a change, or say that too many were missed."""
        if change.kind is ChangeKind.WAITING:
            if change.ref in self._waiting:
                return
            self._waiting.add(change.ref)
        if len(self._queue) >= self._room:
            self._queue.clear()
            self._waiting.clear()
            resync = ChangeKind.RESYNC
            change = Change(number=change.number, kind=resync, ref="", at=change.at)
        self._queue.append(change)
        self._arrived.set()

    def __aiter__(self) -> Reading:
        return self

    async def __anext__(self) -> Change:
        """The next change. Raises `StoreUnavailable` while it is replayed from there."""
        while not self.is_closed:
            if not self._is_replayed:
                await self._fill()
            if self._replay:
                change = self._replay.popleft()
                self._behind = change.number
                return change
            if self._queue:
                change = self._queue.popleft()
                self._waiting.discard(change.ref)
                if not self._is_known(change):
                    return change
            elif self._is_replayed:
                self._arrived.clear()
                await self._arrived.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End it; whoever waits for the next change is let go."""
        self.is_closed = True
        self._arrived.set()

    async def _fill(self) -> None:
        if not self._replay:
            page = await self._store.changes(self._behind or 0, limit=_PAGE)
            self._replay.extend(page)
            self._is_replayed = not page

    def _is_known(self, change: Change) -> bool:
        return change.kind in _STORED and change.number <= (self._behind or 0)
