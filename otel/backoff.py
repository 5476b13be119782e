"""How long to wait after a failure. Pure: chance comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.config import ShipLimits


class Backoff:
    """Waits that double from failure to failure, shortened by chance so that many don't march."""

    def __init__(self, limits: ShipLimits, chance: Callable[[], float]) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._limits = limits
        self._chance = chance
        self._failures = 0

    def success(self) -> None:
        """Start over with the shortest wait."""
        self._failures = 0

    def failure(self, wish_seconds: float | None) -> float:
        """Seconds until the next try: never before the time that the collector asked for."""
        # Past 2^20 the longest wait holds anyway; an exponent without a limit would overflow.
        longest: float = min(
            self._limits.longest_retry_seconds,
            self._limits.first_retry_seconds * 2 ** min(self._failures, 20),
        )
        self._failures += 1
        own = longest * (0.5 + 0.5 * self._chance())
        return max(own, min(wish_seconds or 0.0, self._limits.longest_wish_seconds))
