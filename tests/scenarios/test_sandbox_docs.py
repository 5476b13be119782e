"""Every example of docs/sandbox.md does what the page says.

A `toml` block is written to the file that its first line names; the lines of `console` blocks are
typed in order, in a home of their own (`tests.support.typed_pages`).
"""

from __future__ import annotations

import re

import pytest

from sandbox.inheritance import GATEWAYS, LOADED, RESERVED, SECRETS, SOCKETS
from sandbox.linux.complaints import ROWS
from tests.support.people import ROOT
from tests.support.typed_pages import assert_shown, console_and_files, kinds, typed

PAGE = (ROOT / "docs/sandbox.md").read_text()
EXAMPLES = console_and_files(PAGE)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Everything is typed once, in the page's order, in one shell after the other."""
    home = tmp_path_factory.mktemp("home")
    for folder in (".config/netproxy", "project/.git"):
        (home / folder).mkdir(parents=True)
    return typed(EXAMPLES, home)


@pytest.mark.xdist_group("sandbox_docs")
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda n: EXAMPLES[n].line[:60])
def test_an_example_shows_what_the_page_says(shown: list[str], number: int) -> None:
    assert_shown(EXAMPLES[number], shown[number])


def test_every_block_is_of_a_known_kind() -> None:
    assert kinds(PAGE) <= {"console", "toml", "text"}


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
