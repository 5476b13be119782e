"""The two clocks that a record carries."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What a journal reads its times from."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970, which people can set."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that only grow, while the machine is up."""


class SystemClock:
    """The machine's clocks."""

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)
