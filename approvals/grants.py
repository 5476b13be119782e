"""What answers leave behind, from their first use to their end: one place for every way to end.

An end is taken in memory first, so that nothing new gets in; then it is on record, the connections
that the grant carried are closed, and the store is told. What the store can't be told now, it is
told later: `settle` does so, and whatever else comes due.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from typing import TYPE_CHECKING

from approvals.model import GrantEnd, Scope, Verdict
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from approvals.memory import SessionMemory
    from approvals.model import Grant, Key
    from approvals.ports import Clock, Store
    from approvals.trail import Trail

    type Ended = Callable[[Grant, GrantEnd], None]

# Ends after which what a yes let through may not go on. What it was given for may: a connection
# that was let through by the last of a budget of connections, and one that a run leaves behind is
# ended with the run.
_CUTTING = frozenset({GrantEnd.EXPIRED, GrantEnd.REVOKED, GrantEnd.USED_UP})
# What a named session keeps when its gateway stops.
_LASTING = frozenset({Scope.TIME, Scope.SESSION, Scope.ALWAYS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoker:
    """Who took a grant back, and why."""

    reviewer: str
    channel: str
    comment: str | None


class Grants:
    """All grants of a service."""

    def __init__(
        self,
        memory: SessionMemory,
        store: Store,
        trail: Trail,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when `settle` has something to do, or sooner than it knew."""
        self._memory = memory
        self._store = store
        self._trail = trail
        self._clock = clock
        self._wake = wake
        self._due: list[tuple[float, str]] = []  # heap of monotonic time and grant id
        self._owed: deque[tuple[Grant, GrantEnd]] = deque()
        self._spent: set[str] = set()  # grants with a budget of which the store doesn't know all
        self._unsaved: dict[str, Grant] = {}  # the same, of sessions that were put away
        self._settling = asyncio.Lock()
        self._cutters: dict[str, list[Ended]] = {}  # by session
        # Whose connections are used up: those that were let through may carry so many bytes more.
        self._last: dict[str, tuple[Grant, int]] = {}  # by approval
        self.named: set[str] = set()  # sessions that outlive this process

    def on_ended(self, session: str, ended: Ended) -> Callable[[], None]:
        """Call `ended` when the connections that a grant of the session carries must end.

        Returns what takes that back.
        """
        cutters = self._cutters.setdefault(session, [])
        cutters.append(ended)
        return lambda: cutters.remove(ended)

    def keep(self, grant: Grant) -> None:
        """Let the grant hold from here on; it is on record and in the store."""
        self._memory.remember(grant)
        if grant.expires_at is not None:
            # By the monotonic clock: setting the other one back gives nobody more time.
            left = grant.expires_at - self._clock.wall()
            heapq.heappush(self._due, (self._clock.monotonic() + left, grant.grant_id))
            self._wake()

    def use_lease(self, key: Key, run: str) -> tuple[Grant, bool] | None:
        """Take the late yes for this run's retry; False beside it: its use is not on record."""
        lease = self._memory.lease(key, run)
        if lease is None:
            return None
        return lease, self.end(lease.grant_id, GrantEnd.USED)

    def spend(self, approval_id: str, *, connections: int, carried: int) -> bool:
        """Count; False when the grant of this approval holds no longer."""
        grant = self._memory.spend(approval_id, connections=connections, carried=carried)
        if grant is None:
            return self._spend_last(approval_id, connections, carried)
        if grant.is_used_up:
            if grant.bytes_left:
                self._last[approval_id] = grant, grant.bytes_left
            self.end(grant.grant_id, GrantEnd.USED_UP)
        else:
            self._spent.add(grant.grant_id)
        return True

    def _spend_last(self, approval_id: str, connections: int, carried: int) -> bool:
        last = self._last.get(approval_id)
        if last is None or connections:
            return self._memory.holds(approval_id)
        grant, left = last
        left -= carried
        self._last[approval_id] = grant, left
        if left <= 0:
            del self._last[approval_id]
            self._cut(grant, GrantEnd.USED_UP)
        return True

    def end(self, grant_id: str, end: GrantEnd, by: Revoker | None = None) -> bool:
        """End a grant that holds; the store is told by `settle`. Whether the end is on record."""
        grant = self._memory.forget(grant_id)
        if grant is None:
            return False
        self._spent.discard(grant_id)
        on_record = self._trail.grant_ended(grant, end, by)
        self._owed.append((grant, end))
        self._wake()
        if end in _CUTTING and (end is not GrantEnd.USED_UP or grant.bytes_left == 0):
            self._cut(grant, end)
        return on_record

    async def withdraw(self, grant: Grant) -> None:
        """Take back what is in the store and nowhere else. Raises `StoreUnavailable`."""
        self._owed.append((grant, GrantEnd.REVOKED))
        self._wake()
        await self.settle()

    def _cut(self, grant: Grant, end: GrantEnd) -> None:
        if grant.verdict is Verdict.ALLOW:
            for ended in tuple(self._cutters.get(grant.key.session, ())):
                ended(grant, end)

    def end_run(self, run: str) -> None:
        """End what was allowed for the run, and what waits for its retry."""
        for grant_id in self._memory.of_run(run):
            self.end(grant_id, GrantEnd.RUN_ENDED)

    def end_session(self, session: str) -> None:
        """End what the session remembers; one with a name keeps it in the store."""
        for grant_id in self._memory.of_session(session):
            grant = self._memory.find(grant_id)
            if session in self.named and grant is not None and grant.scope in _LASTING:
                self._put_away(grant)
            else:
                self.end(grant_id, GrantEnd.SESSION_ENDED)
        self._cutters.pop(session, None)
        for approval_id, (last, _) in tuple(self._last.items()):
            if last.key.session == session:
                del self._last[approval_id]

    def _put_away(self, grant: Grant) -> None:
        self._memory.forget(grant.grant_id)
        if grant.budget is not None:
            self._unsaved[grant.grant_id] = grant
            self._wake()

    def end_all(self) -> None:
        """End what every session remembers."""
        for session in self._memory.sessions:
            self.end_session(session)

    def resume(self, session: str, held: Iterable[Grant]) -> None:
        """Let a named session's grants hold again; those whose time is over end."""
        self.named.add(session)
        over = {grant.grant_id for grant, _ in self._owed}
        for grant in held:
            # What is for one run or one retry is its own gateway's to end.
            is_known = grant.grant_id in self._memory or grant.grant_id in over
            if grant.scope in _LASTING and not is_known:
                self.keep(grant)
        self.expire()

    @property
    def next_due(self) -> float | None:
        """When the next grant expires, by the monotonic clock."""
        return self._due[0][0] if self._due else None

    def expire(self) -> None:
        """End the grants whose time is over."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        while self._due and (self._due[0][0] <= now or self._slept_past(self._due[0][1], wall)):
            _, grant_id = heapq.heappop(self._due)
            self.end(grant_id, GrantEnd.EXPIRED)

    def _slept_past(self, grant_id: str, wall: float) -> bool:
        """Whether the machine was suspended meanwhile: the monotonic clock stands still then."""
        grant = self._memory.find(grant_id)
        return grant is None or (grant.expires_at is not None and grant.expires_at <= wall)

    @property
    def owes(self) -> bool:
        """Whether the store has to be told something."""
        return bool(self._owed or self._spent or self._unsaved)

    async def settle(self) -> None:
        """Tell the store what it doesn't know. Raises `StoreUnavailable`: the rest waits."""
        async with self._settling:
            while self._owed:
                grant, end = self._owed[0]
                await self._store.end_grant(grant, end)
                self._owed.popleft()
            for grant_id in tuple(self._spent):
                self._spent.discard(grant_id)
                held = self._memory.find(grant_id)
                if held is not None:
                    self._unsaved[grant_id] = held
            for grant_id, grant in tuple(self._unsaved.items()):
                await self._store.spend(grant)
                del self._unsaved[grant_id]
