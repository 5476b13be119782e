"""A glob says what a walk over every way to fill its stars says, and takes no longer for it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.policy.globs import GlobTable, glob_matches, pieces_of
from tests.support.policies import label_matches

globs = st.text("ab*", max_size=8)
texts = st.text("ab", max_size=10)


@given(globs, texts)
def test_anything_may_stand_for_a_star(glob: str, text: str) -> None:
    assert glob_matches(pieces_of(glob), text) is label_matches(glob, text)


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("a*b", "ab", True),
        ("a*b", "a", False),
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("a*b*c", "abbc", True),
        ("a*bb*c", "abc", False),
        ("a.c", "abc", False),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("*a", "ab", False),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_both_ends_are_anchored(glob: str, text: str, *, matches: bool) -> None:
    assert glob_matches(pieces_of(glob), text) is matches


@given(st.lists(globs.filter(lambda glob: "*" in glob), max_size=12), texts)
def test_a_table_skips_no_glob_that_matches(listed: list[str], text: str) -> None:
    table: GlobTable[str] = GlobTable()
    for glob in listed:
        table.add(pieces_of(glob), glob)
    found = [glob for glob in table.lookup(text) if glob_matches(pieces_of(glob), text)]
    assert sorted(found) == sorted(glob for glob in listed if label_matches(glob, text))


def test_a_table_skips_what_ends_otherwise() -> None:
    table: GlobTable[str] = GlobTable()
    for number in range(1000):
        table.add(pieces_of(f"api-{number:03}-*"), str(number))
    assert list(table.lookup("api-007-x")) == ["7"]


def test_many_stars_cost_no_more() -> None:
    """The client picks the text; an expression that gives back what it found would take years."""
    pieces = pieces_of("*a" * 20 + "*bb*b")
    start = time.thread_time()
    assert not glob_matches(pieces, "a" * 4000 + "b")
    assert glob_matches(pieces, "a" * 4000 + "bbb")
    assert time.thread_time() - start < 2, "or years"
