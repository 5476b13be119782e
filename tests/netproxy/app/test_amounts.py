from __future__ import annotations

import pytest

from netproxy.app.amounts import byte_count, count, duration, percent


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (2_910, "2.9 kB"),
        (99_949, "99.9 kB"),
        (291_000, "291 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (7_000_000_000, "7 GB"),
        (12_000_000_000_000, "12 TB"),
        (12_345_000_000_000_000, "12345 TB"),
    ],
)
def test_bytes(octets: int, text: str) -> None:
    assert byte_count(octets) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (1_250, "1.2 s"),
        (59_400, "59.4 s"),
        (59_900, "1 min"),
        (425_000, "7 min 5 s"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 min"),
        (187_200_000, "2 d 4 h"),
    ],
)
def test_durations(ms: int, text: str) -> None:
    assert duration(ms) == text


def test_counts() -> None:
    assert count(1_234_567) == "1,234,567"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0 %"), (0, 9, "0 %"), (1, 1000, "<1 %"), (999, 1000, "99 %"), (7, 7, "100 %")],
)
def test_shares(part: int, whole: int, text: str) -> None:
    """Neither nothing nor everything is said where it is not so."""
    assert percent(part, whole) == text
