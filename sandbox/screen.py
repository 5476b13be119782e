"""Which modes a full-screen program has switched on, read from its output. Pure.

A question is shown on the same terminal: before it the program's screen must be left, after it
entered again. No emulation: only the DEC private modes that change what a person sees or types.
"""

from __future__ import annotations

import re

# xterm, ctlseqs: DECSET. The alternate screen in its three spellings, and what comes with it.
_ALTERNATE = frozenset({47, 1047, 1049})
_CURSOR = 25
_WATCHED = _ALTERNATE | {1, _CURSOR, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 2004}
_SETTING = re.compile(rb"\x1b\[\?([0-9;]{1,64})([hl])")
# The longest sequence we look for is shorter; a cut one is kept for the next read.
_CARRY_BYTES = 70
_RESET_COLOURS = b"\x1b[0m"


class ScreenModes:
    """Feed it everything that goes to the terminal."""

    def __init__(self) -> None:
        self._on: set[int] = {_CURSOR}
        self._carry = b""

    @property
    def is_full_screen(self) -> bool:
        """Whether the program has the alternate screen."""
        return bool(self._on & _ALTERNATE)

    def feed(self, data: bytes) -> None:
        """Note every mode that `data` switches, wherever the bytes were split."""
        if b"\x1b" not in data and not self._carry:
            return
        text = self._carry + data
        end = 0
        for match in _SETTING.finditer(text):
            end = match.end()
            for mode in _modes(match[1]):
                if match[2] == b"h":
                    self._on.add(mode)
                else:
                    self._on.discard(mode)
        cut = text.rfind(b"\x1b", end)
        self._carry = text[cut:] if cut >= 0 and len(text) - cut <= _CARRY_BYTES else b""

    def leave(self) -> bytes:
        """Bytes that give the terminal back as a shell knows it."""
        off = sorted(self._on - {_CURSOR}, reverse=True)
        return b"".join(
            [_RESET_COLOURS, *(b"\x1b[?%dl" % mode for mode in off)] if off else [_RESET_COLOURS]
        ) + (b"" if _CURSOR in self._on else b"\x1b[?25h")

    def enter(self) -> bytes:
        """Bytes that bring the program's modes back."""
        on = sorted(self._on - {_CURSOR})
        hidden = b"" if _CURSOR in self._on else b"\x1b[?25l"
        return b"".join(b"\x1b[?%dh" % mode for mode in on) + hidden


def _modes(parameters: bytes) -> list[int]:
    return [int(word) for word in parameters.split(b";") if word and int(word) in _WATCHED]
