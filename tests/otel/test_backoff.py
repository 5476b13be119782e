from __future__ import annotations

from otel.backoff import Backoff
from otel.config import ShipLimits

LIMITS = ShipLimits()


def test_waits_double_and_are_bounded() -> None:
    backoff = Backoff(LIMITS, lambda: 1.0)
    waits = [backoff.failure(None) for _ in range(100)]
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(waits) == LIMITS.longest_retry_seconds
    backoff.success()
    assert backoff.failure(None) == 0.25


def test_chance_shortens_a_wait_but_not_the_collectors_wish() -> None:
    backoff = Backoff(LIMITS, lambda: 0.0)
    assert backoff.failure(None) == 0.125
    assert backoff.failure(7.0) == 7.0
    assert backoff.failure(float("inf")) == LIMITS.longest_wish_seconds
