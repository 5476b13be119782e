"""`approvals.ports.Store` on a database: what each call is, in one transaction.

The database is an `Engine`, the question of who lives a `Liveness`: SQLite and locked files for the
gateways of one host (`approvals.store.sqlite`), PostgreSQL and heartbeats for those of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from approvals.model import GrantEnd
from approvals.store import feed, gateways, grants, records
from otel import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.model import Change, Grant, Record, Swept
    from approvals.ports import Clock
    from approvals.store.engine import Engine, Transaction
    from approvals.store.liveness import Liveness

# Long enough to look back at last month; the audit journal keeps what an auditor needs.
KEPT_SECONDS: Final = 30 * 86_400.0
# What one sweep removes: some milliseconds, so that no question waits for it.
_PRUNED_AT_ONCE: Final = 200


class SqlStore:
    """Every method raises `StoreUnavailable` when the database can't."""

    def __init__(self, engine: Engine, liveness: Liveness, clock: Clock) -> None:
        self.gateway = new_id("p")
        self._engine = engine
        self._liveness = liveness
        self._wall = clock.wall

    async def add(self, record: Record) -> Record:
        """Keep a new pending record, or give the one that its key has already."""

        def work(transaction: Transaction) -> Record:
            now = self._introduced(transaction)
            session = record.question.key.session
            gateways.open_session(transaction, session, self.gateway, now)
            return records.add(transaction, record, self.gateway, now)

        return await self._change(work)

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        """Put `new` where `old` still is the stored version, and the grant with it."""

        def work(transaction: Transaction) -> bool:
            now = self._wall()
            asked_by = records.replace(transaction, old, new, now)
            if asked_by is not None and grant is not None:
                grants.add(transaction, grant, asked_by, now)
            return asked_by is not None

        return await self._change(work)

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        """End a grant that holds, and its record with it."""
        return await self._change(lambda t: grants.end(t, grant, end, self._wall()))

    async def spend(self, grant: Grant) -> None:
        """Keep what it was used for."""
        await self._engine.write(lambda t: grants.spend(t, grant))

    async def resume(self, session_name: str) -> tuple[str, tuple[Grant, ...]]:
        """The session of that name, the same for all gateways, and what holds in it."""

        def work(transaction: Transaction) -> tuple[str, tuple[Grant, ...]]:
            now = self._introduced(transaction)
            return gateways.resume(transaction, session_name, self.gateway, now)

        return await self._change(work)

    async def sweep(self) -> Swept:
        """End what gateways that died left, and remove some of what is too old."""

        def work(transaction: Transaction) -> Swept:
            now = self._introduced(transaction)
            swept = gateways.sweep(transaction, self.gateway, self._liveness, now)
            gateways.prune(transaction, now - KEPT_SECONDS, _PRUNED_AT_ONCE)
            return swept

        return await self._change(work)

    async def find(self, approval_id: str) -> Record | None:
        """One record, open or ended."""
        return await self._engine.read(lambda t: records.find(t, approval_id))

    async def grant_of(self, approval_id: str) -> Grant | None:
        """The grant that it left, ended or not."""
        return await self._engine.read(lambda t: grants.of(t, approval_id))

    async def held(self) -> tuple[Grant, ...]:
        """All grants that hold, those of other gateways too."""
        return await self._engine.read(grants.held)

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        """Records that ended (before that time), newest first."""
        return await self._engine.read(lambda t: records.recent(t, limit, before))

    async def of_host(self, host: str, *, limit: int) -> tuple[Record, ...]:
        """Records about a host, newest first."""
        return await self._engine.read(lambda t: records.of_host(t, host, limit))

    async def changes(self, after: int, *, limit: int) -> tuple[Change, ...]:
        """The first changes behind that number."""
        return await self._engine.read(lambda t: feed.behind(t, after, limit))

    async def last_change(self) -> int:
        """The number of the newest change."""
        return await self._engine.read(feed.last)

    async def leave(self) -> Swept:
        """Say that this gateway ends, and end what can't go on without it."""

        def work(transaction: Transaction) -> Swept:
            reason, now = GrantEnd.SESSION_ENDED, self._wall()
            swept = gateways.end(transaction, self.gateway, reason, now)
            self._liveness.end(self.gateway)
            return swept

        return await self._change(work)

    async def _change[T](self, work: Callable[[Transaction], T]) -> T:
        def in_turn(transaction: Transaction) -> T:
            feed.take(transaction)
            return work(transaction)

        return await self._engine.write(in_turn)

    def _introduced(self, transaction: Transaction) -> float:
        """Whoever leaves something in the store can be found dead; the time is now."""
        now = self._wall()
        self._liveness.begin(self.gateway)
        gateways.introduce(transaction, self.gateway, now)
        return now
