"""Lines on standard output: in any encoding, coloured only where somebody looks and wants it."""

from __future__ import annotations

import os
import sys

RED, GREEN, YELLOW, DIM, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
BOLD, BOLD_RED = "\x1b[1m", "\x1b[1;31m"


def write(line: str, *, end: str = "\n") -> None:
    """Print one line. A terminal that isn't UTF-8 must not end a listing."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + end)


def wants_colour() -> bool:
    """Only on a terminal that knows colours, and not against the user's will (no-color.org)."""
    environ = os.environ
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def columns() -> int | None:
    """How wide the terminal is that is written to; None where there is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


def paint(text: str, tint: str, *, colour: bool) -> str:
    """Colour a text, if there is to be colour and something to see."""
    return f"{tint}{text}{PLAIN}" if colour and tint and text else text
