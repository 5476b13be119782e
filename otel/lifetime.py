"""How long an exporter goes on: while the run lives, and then until the drain time is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.config import ShipLimits


class Lifetime:
    """One for all sinks, asked from their threads."""

    def __init__(
        self,
        limits: ShipLimits,
        is_running: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = limits
        self._is_running = is_running
        self._clock = clock
        self._sleep = sleep
        self._end: float | None = None

    def run_ended(self) -> bool:
        """Whether nothing more will be written for this run. Once it is so, it stays so."""
        if self._end is None and not self._is_running():
            self._end = self._clock() + self._limits.drain_seconds
        return self._end is not None

    def is_over(self) -> bool:
        """Whether the drain time has passed too."""
        return self.run_ended() and self._end is not None and self._clock() >= self._end

    def patience(self) -> float:
        """Seconds that one request may take."""
        left = self._limits.request_seconds
        if self._end is not None:
            # A collector on the other side of the world still gets a fair chance.
            left = min(left, max(1.0, self._end - self._clock()))
        return left

    def wait(self, seconds: float) -> None:
        """Wait, but not past the end of the drain time."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0 and not self.is_over():
            self._sleep(min(left, self._limits.poll_seconds))
