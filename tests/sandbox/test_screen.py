"""Modes are read from output wherever it is split, and undone before a question is shown."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.screen import ScreenModes

VIM = b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\x1b[?2004h\x1b[?25lhello"


def fed(*pieces: bytes) -> ScreenModes:
    modes = ScreenModes()
    for piece in pieces:
        modes.feed(piece)
    return modes


def test_plain_output_leaves_nothing_to_undo() -> None:
    modes = fed(b"hello\n", b"\x1b[31mred\x1b[0m")
    assert not modes.is_full_screen
    assert modes.leave() == b"\x1b[0m"
    assert modes.enter() == b""


def test_a_full_screen_program_is_left_and_entered_again() -> None:
    modes = fed(VIM)
    assert modes.is_full_screen
    assert b"\x1b[?1049l" in modes.leave()
    assert b"\x1b[?25h" in modes.leave(), "the cursor shows for the question"
    assert b"\x1b[?1049h" in modes.enter()
    assert modes.enter().endswith(b"\x1b[?25l")


def test_a_program_that_left_by_itself_is_not_left_again() -> None:
    modes = fed(VIM, b"\x1b[?1049l\x1b[?25h\x1b[?1l\x1b[?2004l")
    assert not modes.is_full_screen
    assert modes.leave() == b"\x1b[0m"


def test_several_modes_in_one_sequence() -> None:
    assert b"\x1b[?1006l" in fed(b"\x1b[?1000;1006h").leave()


def test_hostile_parameters_are_no_modes() -> None:
    assert fed(b"\x1b[?99999999999999999999h\x1b[?;;;h").leave() == b"\x1b[0m"


@given(st.lists(st.integers(0, len(VIM)), max_size=6))
def test_where_the_bytes_are_split_does_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(VIM)]
    pieces = [VIM[a:b] for a, b in pairwise(places)]
    assert fed(*pieces).enter() == fed(VIM).enter()


@given(st.binary(max_size=200))
def test_any_bytes_are_only_read(data: bytes) -> None:
    modes = fed(data)
    assert isinstance(modes.leave(), bytes)


@pytest.mark.parametrize(
    "colouring",
    [b"\x1b]11;#fff\x07", b"\x1b]4;7;#000\x1b\\", b"\xc2\x9d10;white\x07", b"\x1b]5;0;red\x07"],
)
def test_colours_that_were_redefined_are_given_back(colouring: bytes) -> None:
    """White on white nobody reads a question."""
    for place in range(len(colouring)):
        leaving = fed(colouring[:place], colouring[place:]).leave()
        assert b"\x1b]104\x07" in leaving
        assert b"\x1b]111\x07" in leaving


def test_a_title_redefines_no_colours() -> None:
    assert fed(b"\x1b]0;title\x07", b"\x1b]8;;http://x\x07", "”Â]".encode()).leave() == b"\x1b[0m"


def test_the_one_character_spelling_is_the_same_mode() -> None:
    assert fed(b"\xc2\x9b?10", b"49h").is_full_screen
