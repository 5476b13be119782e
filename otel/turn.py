"""What one turn of the event loop records is written by one system call, at the turn's end.

Under load a turn serves many connections, and each of their records would be a write(2) of its own.
Whoever must not go on before its record is in the file is told when it is; nobody waits longer than
the turn takes, since a lone record is written as soon as its own turn is over. In strict mode, and
while the disk is slow, it takes longer: `otel.waits`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable
from otel.gaps import together
from otel.waits import Waits

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from otel.gaps import Loss
    from otel.journal import Journal
    from otel.lane import Batch
    from otel.waits import Lost, Then


class Turn:
    """The records that one journal has not written yet, and who waits for them.

    A turn may have to be written early, when something is recorded that can't wait. Who waits is
    told at its end all the same: whoever records is never called back from within.
    """

    __slots__ = (
        "_carried",
        "_count",
        "_is_due",
        "_journal",
        "_loop",
        "_lost",
        "_needs_sync",
        "_report",
        "_told",
        "_waiting",
        "_waits",
    )

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        lost: Lost,
        report: Callable[[str], None],
        needs_sync: bool = False,
    ) -> None:
        """`lost` is told of how many could not be written, and why; `report` of our own bugs.

        `needs_sync`: whoever waits, waits until its record is on the disk.
        """
        self._journal = journal
        self._loop = loop
        self._lost = lost
        self._report = report
        self._needs_sync = needs_sync
        self._waits = Waits(journal, loop, needs_sync=needs_sync, tell=self._call, lost=lost)
        self._count = 0
        self._carried: Loss | None = None
        self._is_due = False
        self._waiting: list[Then] = []
        self._told: list[tuple[list[Then], AuditUnavailable | None]] = []

    def add(self, then: Then | None = None) -> None:
        """One more was put into the journal; `then` is called at the turn's end with what failed.

        Those of one turn are called in order. What they record belongs to the next turn.
        """
        self._count += 1
        if then is not None:
            self._waiting.append(then)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._over)

    def added(self) -> asyncio.Future[None]:
        """One more was put into the journal: wait for it. The result raises `AuditUnavailable`."""
        waiter = self._loop.create_future()
        self.add(partial(_settle, waiter))
        return waiter

    def carry(self, loss: Loss) -> None:
        """Remember that a record which admits this was put: if it is lost, that is not admitted."""
        self._carried = together(self._carried, loss)

    def watch(self, batch: Batch, carried: Loss | None) -> None:
        """See to it that one event on its way counts as lost if it is; nobody waits for it."""
        self._waits.add([], 1, batch, carried)

    def write(self) -> None:
        """Write everything now. What can't be written is lost: whoever waits is told so."""
        count, self._count = self._count, 0
        if not count:
            return
        waiting, self._waiting = self._waiting, []
        carried, self._carried = self._carried, None
        problem: AuditUnavailable | None = None
        batch: Batch | None = None
        try:
            batch = self._journal.flush()
        except AuditUnavailable as unavailable:
            problem = unavailable
        except Exception as bug:  # noqa: BLE001 whoever waits must be told, whatever it is
            problem = AuditUnavailable(f"journal: {bug!r}")
        if problem is not None:
            self._lost(count, problem, carried)
        elif batch is not None or (self._needs_sync and waiting):
            self._waits.add(waiting, count, batch, carried)
            return
        if waiting:
            self._told.append((waiting, problem))

    def tell(self) -> None:
        """Call whoever waited for what was written, or lost."""
        told, self._told = self._told, []
        for waiting, problem in told:
            self._call(waiting, problem)

    def end(self) -> None:
        """Write and tell, also those who wait for the disk: the loop is over."""
        self.write()
        self._waits.end()
        self.tell()

    def _call(self, waiting: list[Then], problem: AuditUnavailable | None) -> None:
        """Call them. One that fails stops no other."""
        for then in waiting:
            try:
                then(problem)
            except Exception as bug:  # noqa: BLE001 root of every callback: one connection only
                self._report(f"netproxy: a connection failed inside the gateway: {bug!r}")

    def _over(self) -> None:
        self._is_due = False
        self.write()
        self.tell()


def _settle(waiter: asyncio.Future[None], problem: AuditUnavailable | None) -> None:
    if waiter.done():
        return  # cancelled
    if problem is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(problem)
