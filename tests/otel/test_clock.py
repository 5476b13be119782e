from __future__ import annotations

from otel.clock import SystemClock


def test_one_clock_is_the_walls_and_the_other_only_grows() -> None:
    clock = SystemClock()
    assert clock.wall_ns() > 1_700_000_000 * 10**9
    assert clock.monotonic_ns() <= clock.monotonic_ns()
