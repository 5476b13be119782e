"""Programs that a configuration names by their path are found, and what else it says is not."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.git_programs import Place, Word, programs

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM, SCRIPT, ARGUMENT = Place.PROGRAM, Place.SCRIPT, Place.ARGUMENT


def found(name: str, value: str) -> list[tuple[str, Place]]:
    section, _, key = name.rpartition(".")
    section, _, subsection = section.partition(".")
    head = f'[{section} "{subsection}"]' if subsection else f"[{section}]"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return [(word.path, word.place) for word in programs(f'{head}\n\t{key} = "{escaped}"\n')]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("core.fsmonitor", "./tools/mon", [("./tools/mon", PROGRAM)]),
        ("core.fsmonitor", "true", []),
        ("core.editor", "code --wait", []),
        ("core.sshCommand", "ssh -i a/key", [("a/key", ARGUMENT)]),
        ("filter.x.clean", "python3.12 clean.py %f", [("clean.py", SCRIPT)]),
        ("filter.x.clean", "A=1 exec a/b", [("a/b", PROGRAM)]),
        ("filter.x.smudge", "a/b<c/d | e/f>g/h", [("a/b", PROGRAM), ("e/f", PROGRAM)]),
        ("diff.external", "'my tools/diff'", [("my tools/diff", PROGRAM)]),
        ("diff.x.textconv", "sh -c 'x; a/b'", [("a/b", PROGRAM)]),
        ("diff.x.command", "'a/b", []),
        ("merge.x.driver", "a/python b/c", [("a/python", PROGRAM), ("b/c", SCRIPT)]),
        ("credential.helper", "store --file a/b", []),
        ("credential.helper", "/a/b", [("/a/b", PROGRAM)]),
        ("credential.https://x.test.helper", "!~/b", [("~/b", PROGRAM)]),
        ("alias.st", "status a/b", []),
        ("alias.x", "!echo $1 b c/d >> .gitignore", [("c/d", ARGUMENT)]),
        ("alias.x", '!f() { ./a "" "$@"; }; f', [("./a", PROGRAM)]),
        ("alias.x", "!$(git rev-parse --show-toplevel)/a", [("./a", PROGRAM)]),
        ("alias.x", "!. a/b", [("a/b", SCRIPT)]),
        ("alias.x", "!A=1", []),
        ("alias.x", '!"$A/b" c; sh "$B/c"', []),
        ("alias.x.command", "!a/b", [("a/b", PROGRAM)]),
        ("pager.log", "a/b", [("a/b", PROGRAM)]),
        ("submodule.x.update", "rebase", []),
        ("submodule.x.update", "!a/b", [("a/b", PROGRAM)]),
        ("remote.origin.url", "../a/b", []),
        ("commit.template", "a/b", []),
        ("core.editor", "a/" + 1024 * "b", []),
    ],
)  # fmt: skip
def test_what_is_run(name: str, value: str, words: list[tuple[str, Place]]) -> None:
    assert found(name, value) == words


def test_most_name_none() -> None:
    assert programs("[core]\n\tbare = false\n[remote]\n\turl = x\n") == ()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({"core.fsmonitor": "tools/ran"}, ("status",)),
        ({"core.fsmonitor": "sh tools/ran"}, ("status",)),
        ({"filter.f.clean": "sh tools/ran %f"}, ("add", "file")),
        ({"filter.f.process": "x=1 tools/ran"}, ("add", "file")),
        ({"diff.external": "tools/ran"}, ("diff", "HEAD")),
        ({"diff.d.textconv": "./tools/ran"}, ("diff", "HEAD")),
        ({"diff.d.command": "sh -c 'cd tools; . ../tools/ran'"}, ("diff", "HEAD")),
        ({"alias.x": "!f() { ./tools/ran; }; f"}, ("x",)),
        ({"alias.x": '!"$(git rev-parse --show-toplevel)/tools/ran"'}, ("x",)),
        ({"core.editor": "tools/ran"}, ("commit", "--allow-empty")),
        ({"credential.helper": "!tools/ran"}, ("credential", "fill")),
        ({"gpg.program": "tools/ran"}, ("commit", "-S", "-m", "x", "--allow-empty")),
        ({"core.sshCommand": "tools/ran"}, ("fetch", "ssh://x.test/x")),
    ],
)
def test_git_runs_it_from_there(
    tmp_path: Path, settings: dict[str, str], command: tuple[str, ...]
) -> None:
    """Relative to the top of the work tree, also where somebody stands further down."""
    below = tmp_path / "below"
    (tmp_path / "tools").mkdir()
    below.mkdir()

    def git(*words: str, cwd: Path = tmp_path) -> None:
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x.test", *words],
            cwd=cwd,
            input="protocol=https\nhost=x.test\n\n",
            text=True,
            capture_output=True,
            check=False,
            timeout=20,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "xterm"},
        )

    git("init", ".")
    (tmp_path / ".gitattributes").write_text("file filter=f diff=d\n")
    (below / "file").write_text("a\n")
    git("add", "-A")
    git("commit", "-m", "x")
    (below / "file").write_text("b\n")
    script = tmp_path / "tools/ran"
    script.write_text(f"#!/bin/sh\ntouch '{tmp_path}/it-ran'\nexit 1\n")
    script.chmod(0o755)
    for name, value in settings.items():
        git("config", name, value)

    git(*command, cwd=below)

    assert (tmp_path / "it-ran").exists()
    said = (tmp_path / ".git/config").read_text()
    assert {word.path.removeprefix("./") for word in programs(said)} & {"tools/ran", "../tools/ran"}


def test_what_a_command_wrote_takes_no_time() -> None:
    """A megabyte of it, twice in a different way."""
    began = time.monotonic()
    assert len(programs("[alias]\n" + (1 << 17) * "a=!./b\n")) == 200
    assert programs("[alias]\na=!sh -c '" + (1 << 20) * "(" + "'") == ()
    assert time.monotonic() - began < 5


def test_it_is_a_value() -> None:
    assert programs("[pager]\nlog=a/b") == (Word("a/b", PROGRAM),)
