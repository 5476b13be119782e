"""Where each key of a TOML document stands: line and column, which `tomllib` does not keep.

Reads text that `tomllib` has already accepted, so it only follows the structure and checks
nothing. Grammar: TOML 1.0.0.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\r\n#]*")  # numbers, booleans, dates (which may hold a space)


# An item of a list of texts: most of a large file is these.
_PLAIN_ITEM = re.compile(r"""[ \t\r\n]*("[^"\\\n]*"|'[^'\n]*')[ \t]*,""")


class Place(NamedTuple):
    """Both counted from 1, as editors do."""

    line: int
    column: int


class Places:
    """The places of every key and array item of one document."""

    __slots__ = ("_lines", "_lists", "_offsets")

    def __init__(self, text: str) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._offsets, self._lists = _Scanner(text).scan()

    def find(self, path: Path) -> Place:
        """Return where a key stands; for one that is missing, where its section does."""
        while path:
            if (offset := self._offset(path)) is not None:
                return self._place(offset)
            path = path[:-1]
        return self._place(0)

    def items(self, path: Path) -> list[Place]:
        """Return where each item of an array stands, all at once."""
        return [self._place(offset) for offset in self._lists.get(path, ())]

    def _offset(self, path: Path) -> int | None:
        items, index = self._lists.get(path[:-1]), path[-1]
        if items is not None and isinstance(index, int) and index < len(items):
            return items[index]
        return self._offsets.get(path)

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)


class _Scanner:
    """Follows a document from its first character to its last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._offsets: dict[Path, int] = {}
        self._implied: dict[Path, int] = {}  # what has no line of its own: `a` of `[a.b]`
        self._lists: dict[Path, list[int]] = {}
        self._items: dict[Path, int] = {}  # arrays of tables: the item that is open

    def scan(self) -> tuple[dict[Path, int], dict[Path, list[int]]]:
        """Return the offset of each key, and those of the items of each array."""
        section: Path = ()
        self._skip(_BLANK)
        while self._position < len(self._text):
            if self._text[self._position] == "[":
                section = self._header()
            else:
                self._pair(section)
            self._skip(_BLANK)
        return self._implied | self._offsets, self._lists

    def _header(self) -> Path:
        start = self._position
        is_array = self._text.startswith("[[", start)
        self._position += 2 if is_array else 1
        *parents, name = self._keys()
        self._position += 2 if is_array else 1
        path = self._resolved((*self._resolved_all(parents), name), opens=is_array)
        self._note(path, start)
        return path

    def _resolved_all(self, keys: list[str]) -> Path:
        """Follow keys through arrays of tables, into the item that is open in each."""
        path: Path = ()
        for key in keys:
            path = self._resolved((*path, key), opens=False)
        return path

    def _resolved(self, path: Path, *, opens: bool) -> Path:
        if opens:
            self._items[path] = self._items.get(path, -1) + 1
        return (*path, self._items[path]) if path in self._items else path

    def _pair(self, section: Path) -> None:
        start = self._position
        path = (*section, *self._keys())
        self._note(path, start)
        self._position += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        match self._text[self._position]:
            case '"' | "'":
                self._skip(_STRING)
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._position += 1
        offsets: list[int] = []
        self._lists[path] = offsets
        while self._next() != "]":
            while plain := _PLAIN_ITEM.match(self._text, self._position):
                offsets.append(plain.start(1))
                self._position = plain.end()
            if self._next() != "]":
                offsets.append(self._position)
                self._value((*path, len(offsets) - 1))
                self._comma()
        self._position += 1

    def _inline_table(self, path: Path) -> None:
        self._position += 1
        while self._next() != "}":
            self._pair(path)
            self._comma()
        self._position += 1

    def _next(self) -> str:
        self._skip(_BLANK)
        return self._text[self._position]

    def _comma(self) -> None:
        if self._next() == ",":
            self._position += 1

    def _keys(self) -> list[str]:
        """Read `a."b".c`, and the space around it."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if self._text[self._position] != ".":
                return keys
            self._position += 1

    def _key(self) -> str:
        if self._text[self._position] not in "\"'":
            return self._skip(_BARE_KEY)
        import tomllib

        (key,) = tomllib.loads(f"{self._skip(_STRING)} = 0")
        return key

    def _note(self, path: Path, offset: int) -> None:
        self._offsets.setdefault(path, offset)
        for end in range(len(path) - 1, 0, -1):
            if path[:end] in self._implied:
                break  # and so are those above it
            self._implied[path[:end]] = offset

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._position)
        assert match is not None, "tomllib accepted this document"
        self._position = match.end()
        return match[0]
