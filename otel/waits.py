"""Those who wait longer than a turn of the loop: for a slow disk, or for a sync.

In order, as the journal gets there. After two seconds whoever waits is told no; what it waited for
may be written yet, so its end is still watched: only what is lost counts as lost.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable
from otel.journal import HANG_SECONDS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from otel.gaps import Loss
    from otel.journal import Journal
    from otel.lane import Batch

    type Then = Callable[[AuditUnavailable | None], None]
    # How many events, what kept them, and what a gap record among them would have admitted.
    type Lost = Callable[[int, AuditUnavailable, Loss | None], None]


class _Entry:
    """What was written or handed over at once, and who waits for it."""

    __slots__ = ("batch", "carried", "count", "due", "mark", "thens")

    def __init__(
        self, thens: list[Then], count: int, batch: Batch | None, carried: Loss | None
    ) -> None:
        self.thens = thens
        self.count = count
        self.batch = batch
        self.carried = carried
        self.mark = 0
        self.due = 0.0


class Waits:
    """Tells them, in the loop's thread."""

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        needs_sync: bool,
        tell: Callable[[list[Then], AuditUnavailable | None], None],
        lost: Lost,
    ) -> None:
        """`needs_sync`: in the file is not enough."""
        self._journal = journal
        self._loop = loop
        self._needs_sync = needs_sync
        self._tell = tell
        self._lost = lost
        self._entries: deque[_Entry] = deque()
        self._timer: asyncio.TimerHandle | None = None
        journal.progressed = self._progressed

    def add(
        self, thens: list[Then], count: int, batch: Batch | None, carried: Loss | None = None
    ) -> None:
        """Have `thens` called when this is where it has to be; `batch`: it isn't written yet."""
        entry = _Entry(thens, count, batch, carried)
        if batch is None:
            entry.mark = self._journal.written_mark
        if thens and (problem := self._journal.problem) is not None:
            # The disk hangs already: two more seconds would tell nothing new.
            self._loop.call_soon(self._give_up, entry, problem)
        entry.due = self._loop.time() + HANG_SECONDS
        self._entries.append(entry)
        # What happened before it was in the list has called nobody.
        if (batch is None or batch.is_done) and self._journal.synced_mark >= entry.mark:
            self._loop.call_soon(self._look)
        if self._timer is None:
            self._timer = self._loop.call_at(entry.due, self._expire)

    def end(self) -> None:
        """Tell all that wait how it stands: the loop is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._entries and (batch := self._entries[-1].batch) is not None:
            batch.wait(HANG_SECONDS)
        if self._needs_sync and self._entries:
            with suppress(AuditUnavailable):
                self._journal.sync()
        self._look()
        entries, self._entries = self._entries, deque()
        for entry in entries:
            self._give_up(entry, _late())

    def _progressed(self) -> None:
        """From another thread."""
        if self._entries:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        while self._entries:
            entry = self._entries[0]
            batch = entry.batch
            if batch is not None and not batch.is_done:
                return
            problem = None
            if batch is not None:
                entry.mark, problem = batch.mark, batch.problem
                if problem is not None:
                    self._lost(entry.count, problem, entry.carried)
            if problem is None and self._needs_sync and self._journal.synced_mark < entry.mark:
                problem = self._journal.problem
                if problem is None:
                    return
            self._entries.popleft()
            self._give_up(entry, problem)

    def _expire(self) -> None:
        """Refuse those whose time is up, and look again when the next one's is."""
        self._timer = None
        self._look()
        now = self._loop.time()
        for entry in list(self._entries):  # whoever is told may record something
            if entry.due > now:
                if self._timer is None:
                    self._timer = self._loop.call_at(entry.due, self._expire)
                return
            self._give_up(entry, _late())

    def _give_up(self, entry: _Entry, problem: AuditUnavailable | None) -> None:
        """Tell whoever waits, once."""
        thens, entry.thens = entry.thens, []
        if thens:
            self._tell(thens, problem)


def _late() -> AuditUnavailable:
    return AuditUnavailable(
        f"the disk did not take it within {HANG_SECONDS:.0f} s", error_type="timeout"
    )
