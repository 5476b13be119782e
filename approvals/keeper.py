"""Looks after what comes due: grants that expire, what the store is owed, changes from elsewhere.

One task and one timer for all of it. It begins with the first question, reader or named session:
a gateway that nobody asks anything never opens its store.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from approvals.model import ChangeKind, GrantEnd
from approvals.moves import SettledElsewhere

if TYPE_CHECKING:
    from approvals.desk import Desk
    from approvals.feed import Feed
    from approvals.flood import Flood
    from approvals.model import Change

# A timer may fire by so much too early.
_TICK = 0.001


class Keeper:
    """The service's clockwork."""

    def __init__(self, desk: Desk, feed: Feed, flood: Flood, wanted: asyncio.Event) -> None:
        """`wanted` is set when something may have come due, sooner than was known."""
        self._desk = desk
        self._feed = feed
        self._flood = flood
        self._wanted = wanted

    async def run(self) -> None:
        """Work until it is cancelled."""
        while True:
            self._wanted.clear()
            try:
                self._desk.grants.expire()
                self.tell_storms()
                await self._sync()
            except Exception:  # noqa: BLE001  # a task's root: without it no grant would expire
                # Nearly always `StoreUnavailable`. What the store is owed waits; everything that
                # needs it is denied meanwhile, and says why.
                await self._pause(self._desk.config.poll_seconds)
            else:
                await self._pause(self._patience())

    async def _sync(self) -> None:
        if not self._is_needed():
            return
        await self._desk.ready()
        await self._desk.grants.settle()
        for change in await self._feed.advance():
            await self._apply(change)

    def _is_needed(self) -> bool:
        """Whether anything depends on the store now."""
        desk = self._desk
        return bool(len(desk.docket) or len(desk.memory) or desk.grants.owes or self._feed.is_read)

    async def _apply(self, change: Change) -> None:
        """Take over what another gateway did; what was done here is done already."""
        desk = self._desk
        match change.kind:
            case ChangeKind.RESOLVED:
                hearing = desk.docket.of_id(change.ref)
                if hearing is not None:
                    hearing.submit(SettledElsewhere())
            case ChangeKind.GRANT_ENDED if (grant := desk.memory.find(change.ref)) is not None:
                is_over = grant.expires_at is not None and grant.expires_at <= desk.clock.wall()
                desk.grants.end(change.ref, GrantEnd.EXPIRED if is_over else GrantEnd.REVOKED)
            case ChangeKind.GRANTED if desk.grants.named and change.ref not in desk.memory:
                for held in await desk.store.held():
                    # What is being settled here becomes one when its own hearing says so.
                    is_ours = desk.docket.of_id(held.approval_id) is not None
                    if held.key.session in desk.grants.named and not is_ours:
                        desk.grants.resume(held.key.session, (held,))
            case _:
                pass

    def tell_storms(self, *, everything: bool = False) -> None:
        """Record the storms whose window is over, or all that are left."""
        for storm in self._flood.over(None if everything else self._desk.clock.monotonic()):
            self._desk.trail.flood(storm.session, storm.limit, storm.refused)

    def _patience(self) -> float | None:
        """How long nothing can come due unless somebody says so."""
        now = self._desk.clock.monotonic()
        ends = (self._desk.grants.next_due, self._flood.next_end())
        due = [each for each in ends if each is not None]
        waits = [max(_TICK, each - now) for each in due]
        if self._is_needed():
            waits.append(self._desk.config.poll_seconds)
        return min(waits, default=None)

    async def _pause(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wanted.wait()
        except TimeoutError:
            pass
