from __future__ import annotations

from bench.journal import ours, sqlite


def test_all_that_was_told_is_on_the_disk() -> None:
    for measure in (ours, sqlite):
        sample = measure(8, 0.05)
        assert sample.rate > 0
        assert sample.p50_ms > 0
