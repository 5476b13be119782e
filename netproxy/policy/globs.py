"""A `*` in a text, and tables of such globs, without a regular expression.

The sandboxed client picks what is matched: the pieces between stars are found leftmost first and
never given back, which loses no match and takes no time that grows with the stars. Nor is anything
compiled: ten thousand expressions would take a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A glob as the pieces between its stars; one piece is a text without a star.
Pieces = tuple[str, ...]


def pieces_of(glob: str) -> Pieces:
    """Cut a glob, whose `*` is any number of characters, none among them."""
    return tuple(glob.split("*"))


def glob_matches(pieces: Pieces, text: str) -> bool:
    """Tell whether the whole text matches."""
    first, *middle = pieces
    if not middle:
        return text == first
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


class GlobTable[Value]:
    """Values filed by both ends of a glob: a look-up skips the globs whose ends don't fit."""

    __slots__ = ("_shapes",)

    def __init__(self) -> None:
        # By how long the ends are: as many look-ups as there are different lengths.
        self._shapes: dict[tuple[int, int], dict[tuple[str, str], list[Value]]] = {}

    def add(self, pieces: Pieces, value: Value) -> None:
        """File a value under a glob that has a star."""
        ends = (pieces[0], pieces[-1])
        shape = self._shapes.setdefault((len(pieces[0]), len(pieces[-1])), {})
        shape.setdefault(ends, []).append(value)

    def lookup(self, text: str) -> Iterator[Value]:
        """Yield the values of all globs that may match, and of some that don't."""
        length = len(text)
        for (first, last), values in self._shapes.items():
            if found := values.get((text[:first], text[length - last :] if last <= length else "")):
                yield from found
