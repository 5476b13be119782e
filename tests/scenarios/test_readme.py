"""Every example of the README does what the README says.

Its `console` blocks are typed at a terminal, its `toml` is loaded, its `sh` names targets that
exist, and each row of its rules table goes through the real options and the real engine. Expected
output is that of `tests.support.typed_pages`, where a letter behind `left to answer:` is the key
that the reader is shown pressing.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from itertools import count
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.settings import load_settings
from netproxy.model import Destination, Protocol, Verdict
from netproxy.policy.hosts import parse_authority
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from tests.support.people import ROOT, open_folder, remove
from tests.support.runs import Netproxy
from tests.support.typed_pages import assert_shown, blocks, console, kinds
from tests.support.world import Typed, can_enter, enter

if TYPE_CHECKING:
    from pathlib import Path

    from netproxy.model import ApprovalId
    from tests.support.people import Person

README = (ROOT / "README.md").read_text()
EXAMPLES = console(README)
_PRESSED = re.compile(r"(left to answer:) (\S)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """Everything is typed once, in the README's order: its later examples read its journal."""
    if (why := can_enter()) is not None:
        pytest.skip(why)
    folder = open_folder()
    try:
        typed = [
            Typed(line=one.line, keys="".join(key for _, key in _PRESSED.findall(one.shows)))
            for one in EXAMPLES
        ]
        return enter(folder, typed)
    finally:
        remove(folder)


@pytest.mark.xdist_group("readme")
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda n: EXAMPLES[n].line[:60])
def test_an_example_shows_what_the_readme_says(shown: list[str], number: int) -> None:
    text = f"{shown[number]}\n" if shown[number] else ""
    example = EXAMPLES[number]
    assert_shown(example._replace(shows=_PRESSED.sub(r"\1", example.shows)), text)


def test_the_readme_is_short_and_every_block_is_of_a_known_kind() -> None:
    assert README.count("\n") <= 260
    assert kinds(README) == {"console", "sh", "toml"}
    assert len(EXAMPLES) >= 15


def test_the_commands_that_make_things_exist() -> None:
    lines = [
        line.partition("#")[0].split()
        for block in blocks(README, "sh")
        for line in block.splitlines()
    ]
    assert lines == [["make", "demo"], ["make", "test"]], "what a shell block may hold"
    for words in lines:
        # Dry: `make test` is what runs this, and test_demo.py runs the demo.
        done = subprocess.run([*words, "-n"], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("text", blocks(README, "toml"), ids=map(str, count(1)))
def test_the_settings_file_is_one(text: str, tmp_path: Path) -> None:
    document = load(text, "config.toml", layer=Layer.USER)
    assert document.default_profile in document.profiles
    file = tmp_path / "config.toml"
    file.write_text(text)
    options = parse_run(["--config", str(file), "--", "true"])
    settings = load_settings(options, {"HOME": str(tmp_path)}, managed_file=tmp_path / "none")
    assert settings.profile == document.default_profile
    assert settings.spec.rules


class Nothing:
    """A session that remembers nothing."""

    def denial(self, destination: Destination) -> ApprovalId | None:
        return None

    def grant(self, destination: Destination) -> ApprovalId | None:
        return None


def rules_table() -> list[tuple[str, bool, str]]:
    """(options, whether they allow it, destination), one for each cell's code."""
    section = README.partition("\n## Rules\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [
        (_SPAN.findall(options)[0], wanted, where)
        for options, yes, no in rows
        for wanted, cell in ((True, yes), (False, no))
        for where in _SPAN.findall(cell)
    ]


@pytest.mark.parametrize(("options", "wanted", "where"), rules_table())
def test_a_rule_allows_what_the_table_says(
    tmp_path: Path, options: str, wanted: bool, where: str
) -> None:
    words = [*shlex.split(options), "--ask", "never", "--", "true"]
    settings = load_settings(
        parse_run(words), {"HOME": str(tmp_path)}, managed_file=tmp_path / "none"
    )
    protocol, _, authority = where.partition("://")
    host, port = parse_authority(authority, default_port=0)
    destination = Destination(host=host, port=port, protocol=Protocol(protocol))
    judgement = settings.policy(now=0).judge(destination, "GET", Nothing())
    assert (judgement.verdict is Verdict.ALLOW) is wanted, judgement


def test_the_rules_table_has_rows() -> None:
    assert len(rules_table()) > 25


def test_every_option_is_in_the_table_and_no_other(me: Person, base: Path) -> None:
    help_text = Netproxy(me, base)("run", "--help").out
    section = README.partition("\n## Options of `run`\n")[2].partition("\n```")[0]
    flags = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
    offered = set(flags.findall(re.sub(r"-\n\s+", "-", help_text))) - {"--help"}
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
    assert set(flags.findall(rows)) == offered


def test_every_exit_status_is_told(me: Person, base: Path) -> None:
    help_text = Netproxy(me, base)("run", "--help").out.partition("Exit status:")[2]
    section = README.partition("\n## Exit statuses\n")[2].partition("\n```")[0]
    numbers = re.compile(r"\b\d{2,3}\b")
    assert set(numbers.findall(section)) == set(numbers.findall(help_text))
