"""Text measured in terminal columns: how wide it is, and how it breaks into lines. Pure.

For text that `otel.visible` has been through: control characters have no width here.
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})


def width(text: str) -> int:
    """Columns that `text` takes: two for wide letters, none for combining marks."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def wrap(text: str, columns: int) -> list[str]:
    """Break `text` into lines of at most `columns`, at spaces where there are any.

    Nothing is left out, so that a long name can be read to its end.
    """
    lines: list[str] = []
    line, space = "", 0
    for character in text:
        if line and width(line) + _cell(character) > columns:
            cut = space or len(line)
            lines.append(line[:cut])
            line, space = line[cut:], 0
        line += character
        if character == " ":
            space = len(line)
    return [*lines, line]


def clip(text: str, columns: int, lines: int) -> list[str]:
    """`wrap`, but at most `lines`; a cut shows as an ellipsis."""
    wrapped = wrap(text, columns)
    if len(wrapped) <= lines:
        return wrapped
    return [*wrapped[: lines - 1], head(wrapped[lines - 1] + wrapped[lines], columns)]


def head(text: str, columns: int) -> str:
    """The beginning of `text`, with an ellipsis where it doesn't fit."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def tail(text: str, columns: int) -> str:
    """The end of `text`: of a host name, the end says whose it is."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[1:]
    return f"…{text}"


def _cell(character: str) -> int:
    if category(character) in _NO_WIDTH:
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
