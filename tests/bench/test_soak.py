"""What is left of tunnels that are gone, and what slows down, is found in the shares."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.soak import Share, flatness

FLAT = [Share(rate=2000.0, cpu_us=300.0, p99_ms=10.0, memory_kib=40_000, descriptors=17)] * 10


def missed(shares: list[Share]) -> list[str]:
    return [verdict.what.split()[0] for verdict in flatness(shares) if not verdict.is_met]


def test_what_stays_as_it_was_is_flat() -> None:
    assert missed(FLAT) == []


def test_what_the_first_share_takes_is_no_growth() -> None:
    cold = replace(FLAT[0], rate=500.0, memory_kib=30_000)
    assert missed([cold, *FLAT[1:]]) == ["memory"], "ten MiB more than at its end"
    assert missed([replace(cold, memory_kib=39_000), *FLAT[1:]]) == []


@pytest.mark.parametrize(
    ("last", "what"),
    [
        pytest.param(replace(FLAT[0], descriptors=18), "descriptors", id="one descriptor"),
        pytest.param(replace(FLAT[0], memory_kib=48_500), "memory", id="50 bytes a tunnel"),
    ],
)
def test_what_is_left_is_found(last: Share, what: str) -> None:
    assert missed([*FLAT[:-1], last]) == [what]


def test_the_last_fifth_may_not_be_slower_than_the_second() -> None:
    slow = replace(FLAT[0], rate=1500.0)
    assert missed([*FLAT[:8], slow, slow]) == ["tunnels/s"]
    assert missed([*FLAT[:9], slow]) == [], "half of it slower by a quarter is noise"
    assert missed([slow, *FLAT[1:]]) == [], "the first fifth is no yardstick"


def test_half_of_the_shares_are_judged_too() -> None:
    assert missed(FLAT[:5]) == []
    assert missed([*FLAT[:4], replace(FLAT[0], rate=1000.0)]) == ["tunnels/s"]
