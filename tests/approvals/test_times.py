from __future__ import annotations

from approvals.times import rfc3339


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_767_322_800.678) == "2026-01-02T03:00:00.678Z"
