from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from otel.retention import Bounds, Facts, why_kept

DAY_NS = 86_400 * 10**9
NOW_NS = 100 * DAY_NS
OLD = Facts(
    is_held=False,
    is_finished=True,
    newest_ns=NOW_NS - 10 * DAY_NS,
    total_bytes=1000,
    sinks=1,
    is_exported=True,
)
WEEK = Bounds(retain_days=7, max_bytes=None)


def kept(bounds: Bounds = WEEK, **changes: Any) -> str | None:
    return why_kept(replace(OLD, **changes), bounds, now_ns=NOW_NS)


def test_what_is_old_and_exported_may_go() -> None:
    assert kept() is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"is_held": True}, "hold", id="held"),
        pytest.param({"is_finished": False}, "being written", id="current"),
        pytest.param({"newest_ns": NOW_NS - 6 * DAY_NS}, "younger than 7 days", id="young"),
        pytest.param({"newest_ns": NOW_NS + DAY_NS}, "younger", id="clock-set-back"),
        pytest.param({"sinks": 0}, "exported to nobody", id="no-sink"),
        pytest.param({"is_exported": False}, "does not have it", id="not-exported"),
        pytest.param({"is_signed": False}, "not signed", id="not-signed"),
        pytest.param({"is_accounted": False}, "without a record", id="beginning-gone"),
    ],
)
def test_any_doubt_keeps_it(changes: dict[str, Any], said: str) -> None:
    reason = kept(**changes)
    assert reason is not None
    assert said in reason


@pytest.mark.parametrize(
    ("bounds", "goes"),
    [
        pytest.param(Bounds(retain_days=None, max_bytes=None), False, id="none"),
        pytest.param(Bounds(retain_days=None, max_bytes=999), True, id="too-much"),
        pytest.param(Bounds(retain_days=None, max_bytes=1000), False, id="not-too-much"),
        pytest.param(Bounds(retain_days=7, max_bytes=1000), False, id="old-but-little"),
        pytest.param(Bounds(retain_days=30, max_bytes=999), False, id="much-but-young"),
        pytest.param(Bounds(retain_days=7, max_bytes=999), True, id="both"),
    ],
)
def test_every_bound_that_is_set_has_to_say_yes(bounds: Bounds, *, goes: bool) -> None:
    assert (kept(bounds) is None) is goes
