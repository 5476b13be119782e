"""The examples of a page: the lines that its `console` blocks type, and what they have to show.

In expected output `…` stands for any text, and as a line of its own for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What an editor reads of a file is no file.
_SAMPLE = "#:schema"
_PATIENCE_SECONDS = 60


class Example(NamedTuple):
    """A command line, and what the page says that it shows."""

    line: str
    shows: str


def blocks(page: str, kind: str) -> list[str]:
    """Return the text of each, in order."""
    return [text for found, text in _BLOCK.findall(page) if found == kind]


def kinds(page: str) -> set[str]:
    """Of which kinds the page has blocks; none is overlooked."""
    found = [kind for kind, _ in _BLOCK.findall(page)]
    assert page.count("```") == 2 * len(found), "a block that the expression does not see"
    return set(found)


def console(page: str) -> list[Example]:
    """What is typed."""
    return [example for text in blocks(page, "console") for example in _typed_in(text)]


def console_and_files(page: str) -> list[Example]:
    """What is typed, and between that each `toml` block is written to the file that it names."""
    found: list[Example] = []
    for kind, text in _BLOCK.findall(page):
        if kind == "console":
            found += _typed_in(text)
        elif kind == "toml" and not text.startswith(_SAMPLE):
            name = text.partition("\n")[0].removeprefix("# ")
            found.append(Example(f"cat > {name} <<'END'\n{text}END", ""))
    return found


def _typed_in(text: str) -> Iterator[Example]:
    for part in text.removeprefix("$ ").split("\n$ "):
        line, _, shows = part.partition("\n")
        yield Example(line, shows)


def typed(examples: Iterable[Example], home: Path) -> list[str]:
    """Type them in order, in one shell after the other at work in `home/project`."""
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return [
        subprocess.run(
            ["bash", "-c", example.line],
            cwd=home / "project",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        ).stdout
        for example in examples
    ]


def assert_shown(example: Example, text: str) -> None:
    """That is what the page says of it."""
    assert _pattern(example.shows).fullmatch(text), (
        f"$ {example.line}\nthe page says:\n{example.shows}\nbut it is:\n{text}"
    )


def _pattern(shows: str) -> re.Pattern[str]:
    lines = ("(?:.*\n)*?" if line == "…" else f"{_any(line)}\n" for line in shows.splitlines())
    return re.compile("".join(lines))


def _any(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("…"))
