"""A configuration is read as git reads it, and whatever is in it, in one pass."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.git_config import values, values_of

if TYPE_CHECKING:
    from pathlib import Path

_CASES = [
    "[core]\n\thooksPath = .githooks\n",
    "[CORE] HooksPath=a/b # why",
    '[core]\nhooksPath = "my hooks;v1" ; why\n',
    '[core]\nhooksPath = one\\\n two "three # four" \\"five\\" \n',
    '[core]\nhooksPath = "a\\tb\\\\"\n',
    '[includeIf "gitdir:~/\\"x]y/"] path = x\n[core] bare\n',
    "# [core]\n; hooksPath = x\n[a][core]\nhooksPath =\n",
    "[core]\r\nhooksPath = windows\r\n",
    "[core]\nhooksPath = to git\0 it ends there\nbare = no\n",
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("text", _CASES)
def test_it_says_what_git_says(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(text.encode())
    listed = subprocess.run(
        ["git", "config", "--file", file, "--no-includes", "--null", "--list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pairs = [entry.partition("\n") for entry in listed.split("\0") if "\n" in entry]
    assert list(values(text)) == [
        (f"{name.partition('.')[0]}.{name.rpartition('.')[2]}", value) for name, _, value in pairs
    ]


@pytest.mark.parametrize("text", [*_CASES, "[remote]\nurl = core.hooksPath\n", "", "[core]\n"])
def test_one_name_is_found_wherever_it_is(text: str) -> None:
    name = "core.hookspath"
    assert list(values_of(text, "include.path", name)) == [
        found for found in values(text) if found[0] == name
    ]


def test_what_git_gives_up_on_hides_nothing_after_it() -> None:
    text = '[core\n= x\n"[a "b]\n[core]\nhooksPath = y'
    assert ("core.hookspath", "y") in list(values(text))


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        "[",
        "[\n",
        "[a ",
        '[a "',
        '[a "\\"',
        '"',
        "\\",
        "a=\\\n",
        'a="',
        'a="\\\n',
        "a",
        "a ",
        "#",
    ],
)
def test_whatever_is_in_it_takes_one_pass(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    began = time.process_time()
    for _ in values(text):
        pass
    assert time.process_time() - began < 30
