"""Which modes a full-screen program has switched on, read from its output. Pure.

A question is shown on the same terminal: before it the program's screen must be left, after it
entered again. No emulation: only the DEC private modes that change what a person sees or types, and
whether colours were redefined.
"""

from __future__ import annotations

import re

# xterm, ctlseqs: DECSET. The alternate screen in its three spellings, and what comes with it.
_ALTERNATE = frozenset({47, 1047, 1049})
_CURSOR = 25
_WATCHED = _ALTERNATE | {1, _CURSOR, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004}
# Both introducers have a second spelling, as one character of C1.
_SETTING = re.compile(rb"(?:\x1b\[|\xc2\x9b)\?([0-9;]{1,64})([hl])")
# OSC 4, 5 and 10 to 19. Text in the colour of the background would be a question that nobody sees,
# below one that the command painted itself.
_COLOURING = re.compile(rb"(?:\x1b\]|\xc2\x9d)(?:4|5|1[0-9]);")
_RESET_PALETTE = b"".join(b"\x1b]%d\x07" % number for number in (104, 105, *range(110, 120)))
_INTRODUCERS = (b"\x1b", b"\xc2")
# The longest sequence we look for is shorter; a cut one is kept for the next read.
_CARRY_BYTES = 70
_RESET_COLOURS = b"\x1b[0m"


class ScreenModes:
    """Feed it everything that goes to the terminal."""

    def __init__(self) -> None:
        self._on: set[int] = {_CURSOR}
        self._is_coloured = False
        self._carry = b""

    @property
    def is_full_screen(self) -> bool:
        """Whether the program has the alternate screen."""
        return bool(self._on & _ALTERNATE)

    def feed(self, data: bytes) -> None:
        """Note every mode that `data` switches, wherever the bytes were split."""
        if not self._carry and not any(introducer in data for introducer in _INTRODUCERS):
            return
        text = self._carry + data
        self._is_coloured = self._is_coloured or _COLOURING.search(text) is not None
        end = 0
        for match in _SETTING.finditer(text):
            end = match.end()
            for mode in _modes(match[1]):
                if match[2] == b"h":
                    self._on.add(mode)
                else:
                    self._on.discard(mode)
        cut = max(text.rfind(introducer, end) for introducer in _INTRODUCERS)
        self._carry = text[cut:] if cut >= 0 and len(text) - cut <= _CARRY_BYTES else b""

    def leave(self) -> bytes:
        """Bytes that give the terminal back as a shell knows it."""
        off = sorted(self._on - {_CURSOR}, reverse=True)
        palette = _RESET_PALETTE if self._is_coloured else b""
        modes = b"".join(b"\x1b[?%dl" % mode for mode in off)
        cursor = b"" if _CURSOR in self._on else b"\x1b[?25h"
        return palette + _RESET_COLOURS + modes + cursor

    def enter(self) -> bytes:
        """Bytes that bring the program's modes back."""
        on = sorted(self._on - {_CURSOR})
        hidden = b"" if _CURSOR in self._on else b"\x1b[?25l"
        return b"".join(b"\x1b[?%dh" % mode for mode in on) + hidden


def _modes(parameters: bytes) -> list[int]:
    return [int(word) for word in parameters.split(b";") if word and int(word) in _WATCHED]
