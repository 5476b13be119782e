"""What a terminal would show, as plain lines: for printing inside another text. Pure.

Knows the few controls that `netproxy run` and line-based tools write; a full-screen program needs
a real terminal.
"""

from __future__ import annotations

import re

# CSI sequences, OSC sequences, and the short escapes: save, restore, character sets (ECMA-48).
_CONTROL = re.compile(
    r"\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()].|\x1b[0-9A-Za-z=>]|[\x00-\x08\x0b-\x1f\x7f]"
)
_PLAIN = "\x1b[0m"


def lines(text: str, *, colours: bool) -> list[str]:
    """The lines that stay on the screen, without empty ones at either end.

    A carriage return starts its line over, as a status line does that counts down.
    """
    kept = [_last_writing(line, colours=colours) for line in text.replace("\r\n", "\n").split("\n")]
    while kept and not _bare(kept[0]):
        del kept[0]
    while kept and not _bare(kept[-1]):
        del kept[-1]
    return kept


def width(line: str) -> int:
    """How many columns a line takes; every character of ours takes one."""
    return len(_CONTROL.sub("", line))


def clipped(line: str, columns: int) -> str:
    """A plain line cut to `columns`, with an ellipsis that says so."""
    return line if len(line) <= columns else line[: columns - 1] + "…"


def _last_writing(line: str, *, colours: bool) -> str:
    written = [piece for piece in line.split("\r") if _bare(piece)]
    shown = _CONTROL.sub(_colour if colours else "", written[-1] if written else "").rstrip()
    return shown + _PLAIN if "\x1b" in shown and not shown.endswith(_PLAIN) else shown


def _colour(match: re.Match[str]) -> str:
    return match[0] if match["final"] == "m" else ""


def _bare(line: str) -> str:
    return _CONTROL.sub("", line).strip()
