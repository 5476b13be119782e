"""Lines reach any terminal, and colours only those who want them."""

from __future__ import annotations

import io
import sys

import pytest

from netproxy.app.cli.printing import GREEN, paint, wants_colour, write


class Screen(io.TextIOWrapper):
    """A stream that says of itself whether it is a terminal."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_a_line_that_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen("ascii", terminal=True)
    monkeypatch.setattr(sys, "stdout", screen)
    write("m\u00fcnchen")
    screen.seek(0)
    assert screen.read() == "m\\xfcnchen\n"


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    monkeypatch.setattr(sys, "stdout", Screen("utf-8", terminal=terminal))
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert wants_colour() is wanted


def test_nothing_is_painted_without_colour_or_text() -> None:
    assert paint("x", GREEN, colour=True) == "\x1b[32mx\x1b[0m"
    assert paint("x", GREEN, colour=False) == paint("x", "", colour=True) == "x"
    assert paint("", GREEN, colour=True) == ""
