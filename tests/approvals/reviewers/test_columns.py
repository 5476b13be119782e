from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.reviewers.columns import clip, head, tail, width, wrap
from otel import visible

SHOWN = st.text(max_size=120).map(visible)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)],
    ids=["ascii", "wide", "combining", "empty"],
)
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


@given(SHOWN, st.integers(2, 40))
def test_wrapping_loses_nothing_and_fits(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join(lines) == text
    assert all(width(line) <= columns for line in lines)


@given(SHOWN, st.integers(2, 40), st.integers(1, 5))
def test_clipped_text_fits_and_shows_that_it_was_cut(text: str, columns: int, lines: int) -> None:
    shown = clip(text, columns, lines)
    assert len(shown) <= lines
    assert all(width(line) <= columns for line in shown)
    assert "".join(shown) == text or shown[-1].endswith("…")


@given(SHOWN, st.integers(2, 40))
def test_head_and_tail_fit_and_keep_their_end(text: str, columns: int) -> None:
    first, last = head(text, columns), tail(text, columns)
    assert max(width(first), width(last)) <= columns
    assert text.startswith(first.removesuffix("…"))
    assert text.endswith(last.removeprefix("…"))


def test_a_long_name_breaks_where_it_must_and_words_where_they_may() -> None:
    assert wrap("a" * 7, 3) == ["aaa", "aaa", "a"]
    assert wrap("one two three", 8) == ["one two ", "three"]
