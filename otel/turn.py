"""What one turn of the event loop records is written by one system call, at the turn's end.

Under load a turn serves many connections, and each of their records would be a write(2) of its own.
Whoever must not go on before its record is in the file awaits it; nobody waits longer than the
turn takes, since a lone record is written as soon as its own turn is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.errors import AuditUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from otel.journal import Journal


class Turn:
    """The records that one journal has not written yet, and who waits for them."""

    __slots__ = ("_count", "_is_due", "_journal", "_loop", "_lost", "_then", "_waiting")

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        lost: Callable[[int, AuditUnavailable], None],
    ) -> None:
        """`lost` is told of how many could not be written, and why."""
        self._journal = journal
        self._loop = loop
        self._lost = lost
        self._count = 0
        self._is_due = False
        self._waiting: list[asyncio.Future[None]] = []
        self._then: list[Callable[[], None]] = []

    def add(self, lost: Callable[[], None] | None = None) -> None:
        """One more was put into the journal; `lost` is called if it can't be written."""
        self._count += 1
        if lost is not None:
            self._then.append(lost)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._over)

    def written(self) -> asyncio.Future[None]:
        """Wait for all that was put so far. The result raises `AuditUnavailable`."""
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        return waiter

    def end(self) -> None:
        """Write everything now. What can't be written is lost: whoever waits for it is told."""
        count, self._count = self._count, 0
        if not count:
            return
        waiting, self._waiting = self._waiting, []
        then, self._then = self._then, []
        problem: AuditUnavailable | None = None
        try:
            self._journal.flush()
        except AuditUnavailable as unavailable:
            problem = unavailable
            self._lost(count, unavailable)
            for lost in then:
                lost()
        for waiter in waiting:
            if waiter.done():
                continue  # cancelled
            if problem is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(problem)

    def _over(self) -> None:
        self._is_due = False
        self.end()
