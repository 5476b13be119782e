"""The clocks of this machine, for `approvals.ports.Clock`."""

from __future__ import annotations

import time


class SystemClock:
    """CLOCK_MONOTONIC and CLOCK_REALTIME."""

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()
