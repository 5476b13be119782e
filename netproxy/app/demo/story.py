"""Prints the demo: headings, the command as typed, what it showed, and what was checked of it.

Nothing is printed as a result that was not looked at: `claim` prints a statement only after it
turned out true, and ends the demo otherwise.
"""

from __future__ import annotations

import re
import shlex
import sys
import textwrap
from typing import TYPE_CHECKING

from netproxy.app.demo import screen
from otel import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

# One name for the options that every command needs, so that the interesting ones can be seen.
LOCAL = "$LOCAL"

_BOLD, _GREEN, _DIM, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[2m", "\x1b[0m"
_MARGIN = "  │ "
_CONTINUED = "    "
_GOES_ON = " \\"
_GLUE = "\xa0"  # a space at which nothing is parted


class ClaimFailed(Exception):
    """Something that the demo would have said is not true."""


class Story:
    """Writes to one stream, `columns` wide."""

    def __init__(self, stream: TextIO, *, colours: bool, columns: int) -> None:
        self._stream = stream
        self._colours = colours
        self.columns = columns

    @property
    def room(self) -> int:
        """How many columns the output of a command has."""
        return self.columns - len(_MARGIN)

    def heading(self, text: str) -> None:
        """Begin a step."""
        line = f"── {text} "
        self._line("\n" + self._paint(line + "─" * (self.columns - len(line)), _BOLD))

    def say(self, text: str) -> None:
        """A sentence of the story, wrapped."""
        self._line("\n".join(textwrap.wrap(text, self.columns, break_on_hyphens=False)))

    def gap(self) -> None:
        """An empty line."""
        self._line("")

    def typed(self, words: Sequence[str]) -> None:
        """The command line, as a person types it."""
        room, lines = self.columns - len(_CONTINUED) - len(_GOES_ON), ["$"]
        for word in words:
            text = word if word == LOCAL else shlex.quote(word)
            if word == "--" or len(f"{lines[-1]} {text}") > room:
                lines.append(text)
            else:
                lines[-1] += f" {text}"
        whole = " ".join(lines)
        parted = f"{_GOES_ON}\n{_CONTINUED}".join(lines)
        self._line("\n" + self._paint(whole if len(whole) <= self.columns else parted, _BOLD))

    def defined(self, name: str, words: Sequence[str]) -> None:
        """A shell variable, an option and its value never parted."""
        text = f'{name}="{" ".join(words)}"'.replace(" --", "\0--")
        room = self.columns - len(_CONTINUED)
        parted = textwrap.wrap(text.replace(" ", _GLUE).replace("\0", " "), room)
        lines = f"\n{_CONTINUED}".join(parted).replace(_GLUE, " ")
        self._line("\n" + self._paint(f"$ {lines}", _BOLD))

    def shown(self, text: str) -> None:
        """What a command wrote, as its terminal shows it; long lines are wrapped."""
        for line in screen.lines(text, colours=self._colours):
            self._output(self._wrapped(line))

    def listed(self, lines: Iterable[str]) -> None:
        """Lines of a listing, cut at the edge so that the columns can be read."""
        self._output(screen.clipped(visible(line), self.room) for line in lines)

    def claim(self, statement: str, *, holds: bool) -> None:
        """Say it if it is true, else raise ClaimFailed."""
        if not holds:
            raise ClaimFailed(f"this should be true and is not: {statement}")
        self._line(f"  {self._paint('ok', _GREEN)}  {statement}")

    def aside(self, text: str) -> None:
        """What the demo itself does or leaves out."""
        self._line(self._paint(f"  ({text})", _DIM))

    def _wrapped(self, line: str) -> list[str]:
        if screen.width(line) <= self.room or "\x1b" in line:
            return [line]
        # JSON has no spaces to break at, but commas.
        room = self.room - 2
        pieces = re.findall(rf".{{1,{room}}}$|.{{1,{room - 1}}}[ ,]|.{{{room}}}", line)
        return [pieces[0], *(f"  {piece}" for piece in pieces[1:])]

    def _output(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._line(self._paint(_MARGIN, _DIM) + line)

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text

    def _line(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        # A terminal that isn't UTF-8 must not end the demo.
        self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()


def complain(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"netproxy demo: {text}\n")
