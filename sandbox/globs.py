"""Which paths a profile's glob matches. Pure.

`*` and `?` don't cross a slash, `[...]` is a set, `**` as a whole word is any number of folders. A
leading dot is a character like any other: `*.env` matches `.env`. A name that is spelled like the
pattern matches, too: frameworks call folders `[id]`.
"""

from __future__ import annotations

import fnmatch
from typing import Self

from otel.values import dataclass


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern, by its names from left to right."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, pattern: str) -> Self:
        """Read `**/*.env`; there is no text that is none."""
        return cls(tuple(pattern.split("/")))

    def matches(self, path: str) -> bool:
        """Whether it matches a relative path as a whole."""
        return _matches(self.words, tuple(path.split("/")))

    def reaches(self, folder: str) -> bool:
        """Whether it could match something below a relative path; that may be empty."""
        return _reaches(self.words, tuple(folder.split("/")) if folder else ())


def _matches(words: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not words or not names:
        return not words and not names
    if words == ("**",):
        return True
    if words[0] == "**":
        return any(_matches(words[1:], names[index:]) for index in range(len(names)))
    return _is_alike(words[0], names[0]) and _matches(words[1:], names[1:])


def _reaches(words: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not words or words[0] == "**" or not names:
        return bool(words)
    return _is_alike(words[0], names[0]) and _reaches(words[1:], names[1:])


def _is_alike(word: str, name: str) -> bool:
    return name == word or fnmatch.fnmatchcase(name, word)
