"""Every example of docs/sandbox.md does what the page says.

A `toml` block is written to the file that its first line names; the lines of `console` blocks are
typed in order, in a home of their own. `…` in expected output stands for any text, and as a line of
its own for any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.inheritance import GATEWAYS, LOADED, RESERVED, SECRETS, SOCKETS
from sandbox.linux.complaints import ROWS
from tests.support.people import ROOT

PAGE = (ROOT / "docs/sandbox.md").read_text()
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, str]]:
    """(command line, what it shows); a file to write is a command line without output."""
    found: list[tuple[str, str]] = []
    for kind, text in _BLOCK.findall(PAGE):
        if kind == "console":
            for part in text.removeprefix("$ ").split("\n$ "):
                line, _, shows = part.partition("\n")
                found.append((line, shows))
        elif kind == "toml":
            name = text.partition("\n")[0].removeprefix("# ")
            found.append((f"cat > {name} <<'END'\n{text}END", ""))
    return found


STEPS = steps()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Everything is typed once, in the page's order, in one shell after the other."""
    home = tmp_path_factory.mktemp("home")
    for folder in (".config/netproxy", "project/.git"):
        (home / folder).mkdir(parents=True)
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return [
        subprocess.run(
            ["bash", "-c", line],
            cwd=home / "project",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        ).stdout
        for line, _ in STEPS
    ]


def pattern(shows: str) -> re.Pattern[str]:
    lines = ("(?:.*\n)*?" if line == "…" else f"{_any(line)}\n" for line in shows.splitlines())
    return re.compile("".join(lines))


def _any(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("…"))


@pytest.mark.xdist_group("sandbox_docs")
@pytest.mark.parametrize("number", range(len(STEPS)), ids=lambda n: STEPS[n][0][:60])
def test_an_example_shows_what_the_page_says(shown: list[str], number: int) -> None:
    line, shows = STEPS[number]
    assert pattern(shows).fullmatch(shown[number]), (
        f"$ {line}\nthe page says:\n{shows}\nbut it is:\n{shown[number]}"
    )


def test_every_block_is_of_a_known_kind() -> None:
    kinds = [kind for kind, _ in _BLOCK.findall(PAGE)]
    assert set(kinds) <= {"console", "toml", "text"}
    assert PAGE.count("```") == 2 * len(kinds), "a block that the expression does not see"


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("secrets", SECRETS),
        ("sockets of the host", SOCKETS),
        ("what is loaded into every program", LOADED),
        ("the gateway's own", (*GATEWAYS, "default_excludes", "--env", "set", *RESERVED)),
    ],
)
def test_every_variable_that_is_left_out_is_told(heading: str, names: tuple[str, ...]) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {heading} |")]
    assert re.findall(r"`([^`]+)`", row) == list(names)


def test_every_cause_is_told() -> None:
    """What a host may lack, as the line on stderr names it."""
    told = PAGE.partition("\n## Where it works")[2].partition("\n## ")[0]
    causes = [row.cause for row in ROWS]
    named = {text for text in re.findall(r"`([^`]+)`", told) for cause in causes if text in cause}
    untold = {cause for cause in causes if not any(text in cause for text in named)}
    # A list of hosts, not of everything that a system call may say.
    assert untold == {
        "there are too many namespaces, or they are nested too deep (32)",
        "a folder to mount on can't be made on a read-only disk",
        "the working directory can't be entered inside the sandbox",
    }
