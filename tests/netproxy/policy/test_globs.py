"""A glob says what a walk over every way to fill its stars says, and takes no longer for it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.policy.globs import glob_source
from tests.support.policies import label_matches


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=10))
def test_any_character_may_stand_for_a_star(glob: str, text: str) -> None:
    found = re.compile(glob_source(glob, r"[^\n]")).fullmatch(text)
    # To the naive matcher a star of its own is a whole label, which is never empty.
    assert (found is not None) is (glob == "*" or label_matches(glob, text))


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("a*b", "ab", True),
        ("a*b", "a/b", False),
        ("a*b*c", "abbc", True),
        ("a.c", "abc", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("*a", "ab", False),
    ],
)
def test_a_star_stays_within_what_it_may_be(glob: str, text: str, *, matches: bool) -> None:
    assert (re.fullmatch(glob_source(glob, "[^/]"), text) is not None) is matches


def test_many_stars_cost_no_more() -> None:
    regex = re.compile(glob_source("*a" * 20 + "*b", "[^/]"))
    start = time.perf_counter()
    assert regex.fullmatch("a" * 2000) is None
    assert time.perf_counter() - start < 0.2
