"""What a git configuration says: its names and values, as git itself reads them. Pure.

In one pass, and no part of it is looked at twice: a command may have written what this reads.
Where git would give up it goes on, so it finds what git does, and maybe more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# git-config(1), "Syntax". A value ends at a comment or a line that is not continued.
_TOKEN = re.compile(
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
_ESCAPED = re.compile(r'\\\r?\n|\\(.)|"')
_MEANT = {"n": "\n", "t": "\t", "b": "\b"}


def values(text: str) -> Iterator[tuple[str, str]]:
    """Yield (section.name, value) in their order, both parts of the name in lower case.

    The name of a subsection (`[includeIf "gitdir:x"]`) is left out: it may hold or not.
    """
    section = ""
    for found in _TOKEN.finditer(text):
        if found["section"] is not None:
            section = found["section"].lower()
        elif found["value"] is not None:
            yield f"{section}.{found['key'].lower()}", _meant(found["value"])


def _meant(value: str) -> str:
    return _ESCAPED.sub(lambda part: _MEANT.get(part[1], part[1] or ""), value.strip(" \t\r"))
