"""What a git configuration says: its names and values, as git itself reads them. Pure.

In one pass, and no part of it is looked at twice: a command may have written what this reads.
Where git would give up it goes on, so it finds what git does, and maybe more.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEANT = {"n": "\n", "t": "\t", "b": "\b"}


@cache
def _token() -> re.Pattern[str]:
    """Of git-config(1), "Syntax". A value ends at a comment or a line that is not continued.

    Compiled where a file says what is asked for: it takes 3 ms, and few do.
    """
    return re.compile(
        r"""
        [#;] [^\n]*+
        | \[ [ \t]*+ (?P<section>[A-Za-z0-9.-]++) (?: [ \t]++ "(?: [^"\\\n] | \\. )*+" )? [ \t]*+ \]
        | (?P<key>[A-Za-z][A-Za-z0-9-]*+) [ \t]*+
          (?: = (?P<value> (?:
              [^"\\\n;#]++ | \\\r?\n | \\. | " (?: [^"\\\n]++ | \\\r?\n | \\. )*+ "?
          )*+ ) )?+
        """,
        re.VERBOSE,
    )


@cache
def _escaped() -> re.Pattern[str]:
    return re.compile(r'\\\r?\n|\\(.)|"')


def values_of(text: str, *names: str) -> Iterator[tuple[str, str]]:
    """Yield the values of these names only, which are section.name in lower case."""
    lowered = text.lower()
    if any(all(word in lowered for word in name.split(".")) for name in names):
        yield from (found for found in values(text) if found[0] in names)


def values(text: str) -> Iterator[tuple[str, str]]:
    """Yield (section.name, value) in their order, both parts of the name in lower case.

    The name of a subsection (`[includeIf "gitdir:x"]`) is left out: it may hold or not.
    """
    section = ""
    for found in _token().finditer(text):
        if found["section"] is not None:
            section = found["section"].lower()
        elif found["value"] is not None:
            yield f"{section}.{found['key'].lower()}", _meant(found["value"])


def _meant(value: str) -> str:
    said = _escaped().sub(lambda part: _MEANT.get(part[1], part[1] or ""), value.strip(" \t\r"))
    return said.partition("\0")[0]  # to git it is a string of C's
