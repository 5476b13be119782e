"""One time limit that many keep, with one timer: who began first is over first.

A timer for each would cost every client an object and two places in the loop's heap, for a limit
that next to nobody meets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

type Late = Callable[[], None]


class Deadline:
    """Of those who have to be done so many seconds after they began."""

    __slots__ = ("_ends", "_loop", "_seconds", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._ends: dict[object, tuple[float, Late]] = {}  # in the order in which they are due
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, who: object, late: Late) -> None:
        """Call `late` when the time is over, unless `end` comes first.

        Who has begun already keeps its time, and its place; `late` is in place of the one before.
        """
        begun = self._ends.get(who)
        due = self._loop.time() + self._seconds if begun is None else begun[0]
        self._ends[who] = due, late
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def end(self, who: object) -> None:
        """It is done, or has ended otherwise."""
        self._ends.pop(who, None)

    def close(self) -> None:
        """Call nobody any more."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Call whoever is late; the timer stays for as long as anybody may come to be."""
        self._timer = None
        now = self._loop.time()
        while self._ends:
            who, (due, late) = next(iter(self._ends.items()))
            if due > now:
                self._timer = self._loop.call_later(due - now, self._look)
                return
            del self._ends[who]
            late()
