from __future__ import annotations

import time

from approvals.clock import SystemClock


def test_one_clock_never_jumps_and_the_other_tells_the_time() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert abs(clock.wall() - time.time()) < 1
