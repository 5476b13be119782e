"""Plots are well-formed, and as high as what they show."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.audit_plots import bar, timeline
from netproxy.app.audit_summary import Tally

TALLIES = st.builds(Tally, allowed=st.integers(0, 10**9), denied=st.integers(0, 10**9))


@given(st.lists(TALLIES, min_size=1, max_size=200))
def test_bars_stay_inside_and_none_is_lost(tallies: list[Tally]) -> None:
    steps = [(number * 60, tally) for number, tally in enumerate(tallies)]
    made = timeline(steps, 60)
    root = ET.fromstring(made)
    bars = list(root.iter("rect"))
    assert len(bars) == sum((t.allowed > 0) + (t.denied > 0) for t in tallies)
    for each in bars:
        x, y, width, height = (float(each.attrib[n]) for n in ("x", "y", "width", "height"))
        assert x >= 56
        assert x + width <= 952.1
        assert y >= 11.9
        assert y + height <= 230.1


def test_what_a_bar_says() -> None:
    made = timeline([(1_767_323_040, Tally(allowed=3, denied=1))], 60)
    assert "<title>01-02 03:04: 3 allowed, 1 denied</title>" in made
    made = timeline([(1_767_312_000, Tally(denied=1))], 86_400)
    assert "<title>2026-01-02: 0 allowed, 1 denied</title>" in made


def test_of_nothing_there_is_none() -> None:
    assert "<svg" not in timeline([], 60) + timeline([(0, Tally())], 60)


@pytest.mark.parametrize(
    ("share", "width"), [(0.0, "0.0"), (0.0001, "1.0"), (0.5, "50.0"), (2.0, "100.0")]
)
def test_a_bar(share: float, width: str) -> None:
    """What is more than nothing shows."""
    assert f'width="{width}"' in bar(share, "allow")
