"""The two clocks that a record carries."""

from __future__ import annotations

import time
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """What a journal reads its times from."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970, which people can set."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that only grow, while the machine is up, asleep or not."""


class SystemClock:
    """The machine's clocks."""

    wall_ns = staticmethod(time.time_ns)
    # A laptop that slept has not had its clock set: the monotonic clock stands still meanwhile.
    monotonic_ns = staticmethod(
        partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
        if hasattr(time, "CLOCK_BOOTTIME")
        else time.monotonic_ns
    )
