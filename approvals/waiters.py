"""The requests that wait for one question, by join number. A number is never used twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.model import Outcome

# None tells a waiter to ask again: the answer did not cover it.
type Waiter = asyncio.Future[Outcome | None]


class Waiters:
    """Who waits now, and which runs ever asked."""

    def __init__(self) -> None:
        self.joined = 0
        self.runs: set[str] = set()  # that asked and have not ended
        self._waiting: dict[int, tuple[str, Waiter]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, run: str) -> tuple[int, Waiter]:
        """Add a waiter: its number, and the future that releases it."""
        self.joined += 1
        self.runs.add(run)
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting[self.joined] = run, waiter
        return self.joined, waiter

    def leave(self, number: int) -> None:
        """Take a waiter out; the others stay."""
        self._waiting.pop(number, None)

    def end_run(self, run: str) -> bool:
        """Forget a run. True when it asked and no run that asked is left."""
        if run not in self.runs:
            return False
        self.runs.remove(run)
        return not self.runs

    def were_of(self, run: str) -> bool:
        """Whether nobody waits now, and no run but this one ever asked."""
        return not self._waiting and self.runs == {run}

    def any_up_to(self, number: int) -> bool:
        """Whether one of the first `number` waiters is still here."""
        return any(waiting <= number for waiting in self._waiting)

    def covered(
        self, *, up_to: int | None = None, run: str | None = None, most: int | None = None
    ) -> frozenset[int]:
        """Who an answer is for: those who joined first, of this run, and no more than so many."""
        numbers = [
            number
            for number, (asking, _) in self._waiting.items()
            if (up_to is None or number <= up_to) and (run is None or asking == run)
        ]
        return frozenset(numbers[:most])

    def release(self, covered: frozenset[int], outcome: Outcome) -> None:
        """Wake everybody: those who are covered with the outcome, the others to ask again."""
        waiting, self._waiting = self._waiting, {}
        for number, (_, waiter) in waiting.items():
            if not waiter.done():
                waiter.set_result(outcome if number in covered else None)
