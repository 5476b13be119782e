"""Approvals that live as long as the process. Compare-and-set as a database would do it."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from approvals.lifecycle import after_grant
from approvals.model import Change, ChangeKind, GrantEnd, Status, Swept
from otel import new_id
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.model import Grant, Key, Record

# What somebody looks back at by hand; a gateway that runs for months must not grow by it.
_REMEMBERED = 4096


@dataclass(slots=True)
class _Kept:
    grant: Grant
    end: GrantEnd | None = None


class MemoryStore:
    """Dicts, and a list of changes. The oldest ended records and changes are dropped."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._records: dict[str, Record] = {}
        self._pending: dict[Key, str] = {}
        self._ended: deque[str] = deque()
        self._grants: dict[str, _Kept] = {}  # by approval: each leaves at most one
        self._sessions: dict[str, str] = {}
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED)
        self._number = 0

    async def open(self) -> None:
        """It always is."""

    async def close(self) -> None:
        """What it keeps goes with it."""

    async def add(self, record: Record) -> Record:
        """Keep a new pending record, unless its key has one."""
        question = record.question
        if (first := self._pending.get(question.key)) is not None:
            return self._records[first]
        self._records[question.approval_id] = record
        self._pending[question.key] = question.approval_id
        self._note(ChangeKind.ASKED, question.approval_id)
        return record

    async def replace(self, old: Record, new: Record, *, grant: Grant | None = None) -> bool:
        """Put `new` where `old` still is the stored version, and its grant with it."""
        approval_id = old.question.approval_id
        stored = self._records.get(approval_id)
        if stored is None or stored.version != old.version:
            return False
        self._records[approval_id] = new
        if old.status is Status.PENDING:
            del self._pending[old.question.key]
            self._remember_ended(approval_id)
            self._note(ChangeKind.RESOLVED, approval_id)
        if grant is not None:
            self._grants[approval_id] = _Kept(grant)
            self._note(ChangeKind.GRANTED, grant.grant_id)
        return True

    async def end_grant(self, grant: Grant, end: GrantEnd) -> bool:
        """End a grant that holds, and its record with it."""
        kept = self._grants.get(grant.approval_id)
        if kept is None or kept.end is not None:
            return False
        kept.grant, kept.end = grant, end
        record = self._records[grant.approval_id]
        self._records[grant.approval_id] = after_grant(record, end)
        self._note(ChangeKind.GRANT_ENDED, grant.grant_id)
        return True

    async def spend(self, grant: Grant) -> None:
        """Keep what it was used for."""
        kept = self._grants.get(grant.approval_id)
        if kept is not None and kept.end is None:
            kept.grant = grant

    async def resume(self, session_name: str) -> tuple[str, tuple[Grant, ...]]:
        """The session of that name."""
        session = self._sessions.setdefault(session_name, new_id("s"))
        return session, tuple(each for each in await self.held() if each.key.session == session)

    async def sweep(self) -> Swept:
        """Nothing outlives the process that keeps it here."""
        return Swept()

    async def find(self, approval_id: str) -> Record | None:
        """One record, while it is remembered."""
        return self._records.get(approval_id)

    async def grant_of(self, approval_id: str) -> Grant | None:
        """The grant that it left."""
        kept = self._grants.get(approval_id)
        return None if kept is None else kept.grant

    async def held(self) -> tuple[Grant, ...]:
        """Grants that hold now."""
        return tuple(kept.grant for kept in self._grants.values() if kept.end is None)

    async def recent(self, *, limit: int, before: float | None = None) -> tuple[Record, ...]:
        """Records that ended, newest first."""
        ended = (self._records[each] for each in reversed(self._ended))
        return tuple(islice((r for r in ended if before is None or _end(r) < before), limit))

    async def of_host(self, host: str, *, limit: int) -> tuple[Record, ...]:
        """Records about a host, newest first."""
        newest = reversed(self._records.values())
        return tuple(islice((r for r in newest if r.question.key.host == host), limit))

    async def changes(self, after: int, *, limit: int) -> tuple[Change, ...]:
        """Changes behind that number."""
        return tuple(islice((each for each in self._changes if each.number > after), limit))

    async def last_change(self) -> int:
        """The newest change's number."""
        return self._number

    def _note(self, kind: ChangeKind, ref: str) -> None:
        self._number += 1
        self._changes.append(Change(number=self._number, kind=kind, ref=ref, at=self._wall()))

    def _remember_ended(self, approval_id: str) -> None:
        self._ended.append(approval_id)
        if len(self._ended) > _REMEMBERED:
            oldest = self._ended.popleft()
            del self._records[oldest]
            kept = self._grants.get(oldest)
            if kept is not None and kept.end is not None:
                del self._grants[oldest]


def _end(record: Record) -> float:
    return record.ended_at or 0.0
