"""What stays on a terminal's screen, as lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.demo.screen import clipped, lines, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("one\r\ntwo\r\n", ["one", "two"], id="lines"),
        pytest.param("\r\n\n  one\n\ntwo\n \n", ["  one", "", "two"], id="no empty ends"),
        pytest.param("\r2 left\x1b[K\r1 left\x1b[K\r\n", ["1 left"], id="a line written over"),
        pytest.param("\x1b7\x1b[?69l\x1b[r\x1b8\x0f\x1b(Bplain", ["plain"], id="controls"),
        pytest.param("\x1b]0;title\x07text", ["text"], id="a window title"),
        pytest.param("\x1b[1mbold\x1b[0m", ["bold"], id="colours left out"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_what_is_shown(text: str, shown: list[str]) -> None:
    assert lines(text, colours=False) == shown


def test_colours_are_kept_on_request_and_end_with_their_line() -> None:
    assert lines("\x1b[1mbold\r\n\x1b[2J", colours=True) == ["\x1b[1mbold\x1b[0m"]


@given(st.text())
def test_nothing_that_moves_or_hides_is_left(text: str) -> None:
    shown = "".join(lines(text, colours=False))
    assert not any(mark < " " and mark != "\t" for mark in shown)


def test_a_cut_says_so() -> None:
    assert (clipped("abcdef", 6), clipped("abcdef", 5)) == ("abcdef", "abcd…")


def test_colours_take_no_columns() -> None:
    assert width("\x1b[1;33mword\x1b[0m") == 4
