"""What one run may move in all, both directions together, and how much of that it has moved.

Nothing is counted while bytes move: tunnels have their own counts. What is over is added, what runs
is looked at ten times a second, so a run gets at most a tenth of a second more than it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_SECONDS = 0.1


class Allowance:
    """Of one run. Without a limit it does nothing but add up."""

    __slots__ = ("_in_flight", "_limit", "_loop", "_on_spent", "_timer", "is_spent", "moved")

    def __init__(
        self,
        limit: int | None,
        loop: asyncio.AbstractEventLoop,
        *,
        in_flight: Callable[[], int],
        on_spent: Callable[[], None],
    ) -> None:
        """`in_flight` counts what connections moved that are not over; `on_spent` cuts them."""
        self.moved = 0  # by those that are over
        self.is_spent = False  # for good
        self._limit = limit
        self._loop = loop
        self._in_flight = in_flight
        self._on_spent = on_spent
        self._timer: asyncio.TimerHandle | None = None
        if limit is not None:
            self._timer = loop.call_later(_SECONDS, self.look)

    @property
    def left(self) -> int | None:
        """How many more bytes; None: as many as it likes."""
        if self._limit is None:
            return None
        return max(0, self._limit - self.moved - self._in_flight())

    def look(self) -> None:
        """Cut everything when there is nothing left. The timer's callback."""
        self.is_spent = self.is_spent or self.left == 0
        if self.is_spent:
            self._on_spent()
        self._timer = self._loop.call_later(_SECONDS, self.look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
