"""What of a repository makes git run something, checked against git itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.model import Part
from sandbox.mountpoints import MountPoints
from sandbox.repository import (
    COMMONDIR,
    common_folder,
    led_to_everywhere,
    obeyed_everywhere,
    parts,
)

if TYPE_CHECKING:
    from pathlib import Path

# What git would take for a repository of its own, where `.git` is none any more.
_BESIDE = {"refs": None, "commondir": None}


def made(folder: Path) -> dict[str, bytes | None]:
    return {part.path.removeprefix(f"{folder}/"): part.content for part in parts(str(folder))}


def repository(folder: Path, config: str = "") -> Path:
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "config").write_text(config)
    return folder


def test_hooks_configuration_and_where_both_are_looked_for(tmp_path: Path) -> None:
    repository(tmp_path)
    assert made(tmp_path) == {
        ".git/hooks": None,
        ".git/config": b"",
        ".git/commondir": COMMONDIR,
        **_BESIDE,
    }


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        (("refs",), ["objects", "commondir"]),
        (("refs", "objects"), ["hooks", "config", "commondir"]),
    ],
)
def test_what_would_be_a_repository_where_that_one_is_broken(
    tmp_path: Path, there: tuple[str, ...], kept: list[str]
) -> None:
    """Somebody's own folders stay his. In this order they go at the end of a run."""
    repository(tmp_path)
    for name in there:
        (tmp_path / name).mkdir()
    assert [path for path in made(tmp_path) if not path.startswith(".git/")] == kept


def test_what_another_run_keeps_out_is_nobodys_own(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs").chmod(0o1755)
    assert "refs" in made(tmp_path)


def test_a_pipe_in_place_of_a_configuration_keeps_nobody_waiting(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / ".git/config").unlink()
    os.mkfifo(tmp_path / ".git/config")
    assert ".git/config" in made(tmp_path)


@pytest.mark.parametrize("line", ["\n", "[\n", "path\n", " ", "[", "[a] ", 'path = "\n', "\\\n"])
def test_no_configuration_takes_long_to_read(tmp_path: Path, line: str) -> None:
    """A command wrote it, and a gateway of everybody's reads it. Squared it would take days."""
    folder = repository(tmp_path, line * ((1 << 20) // len(line)))
    began = time.process_time()
    assert ".git/config" in made(folder)
    assert time.process_time() - began < 30


def work_tree(folder: Path) -> Path:
    """A further work tree of the repository in `folder`."""
    own = repository(folder / "main", "[extensions]\n\tworktreeConfig\n") / ".git/worktrees/side"
    own.mkdir(parents=True)
    side = folder / "side"
    side.mkdir()
    (side / ".git").write_text(f"gitdir: {own}\n")
    (own / "gitdir").write_text(f"{side}/.git\n")
    (own / "commondir").write_text("../..\n")
    return side


def test_a_further_work_tree_knows_its_repository(tmp_path: Path) -> None:
    side = work_tree(tmp_path)
    assert common_folder(str(side)) == str(tmp_path / "main/.git")
    assert ".git/worktrees/side/config.worktree" in made(tmp_path / "main")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("side/.git", "gitdir: /nowhere"),
        ("side/.git", "nothing"),
        ("main/.git/worktrees/side/gitdir", "/elsewhere/.git"),
        ("main/.git/worktrees/side/gitdir", ""),
        ("main/.git/worktrees/side/commondir", "../../.."),
        ("main/.git/worktrees/side/commondir", ""),
    ],
)
def test_a_file_alone_can_not_name_any_place(tmp_path: Path, file: str, says: str) -> None:
    side = work_tree(tmp_path)
    (tmp_path / file).write_text(says)
    assert common_folder(str(side)) is None


def test_nor_can_a_link_or_nothing_at_all(tmp_path: Path) -> None:
    side = work_tree(tmp_path)
    (side / ".git").rename(side / "moved")
    (side / ".git").symlink_to("moved")
    assert common_folder(str(side)) is None
    assert common_folder(str(tmp_path)) is None
    assert common_folder(str(tmp_path / "main")) is None


def test_a_file_that_names_the_repository_is_kept_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: ../x\n")
    assert made(tmp_path) == {".git": b""}


def test_submodules_and_further_work_trees(tmp_path: Path) -> None:
    repository(tmp_path)
    inner = tmp_path / ".git/modules/lib/one"
    for module in (inner, inner / "modules" / "two"):
        module.mkdir(parents=True)
        (module / "HEAD").touch()
    (tmp_path / ".git/modules/away").symlink_to("/")
    tree = tmp_path / ".git/worktrees/side"
    tree.mkdir(parents=True)
    (tree / "commondir").write_text("../..\n")
    found = made(tmp_path)
    assert ".git/modules/lib/one/hooks" in found
    assert ".git/modules/lib/one/modules/two/config" in found
    assert ".git/worktrees/side/commondir" in found
    assert not [path for path in found if "away" in path]


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ("[extensions]\n\tworktreeConfig = true\n", ".git/config.worktree"),
        ("[core]\n\thooksPath = .husky/_\n", ".husky/_"),
        ('[core]\n\thooksPath = ".githooks" # ours\n', ".githooks"),
        ('[core] hooksPath = "my hooks;v1" # ours', "my hooks;v1"),
        ("[core]\n\thooksPath = tools/git/hooks\n", "tools/git/hooks"),
        ("[include]\n\tpath = ../shared.gitconfig\n", "shared.gitconfig"),
        ("[include]\n\tpath = ../shared.gitconfig\n", ".shared-hooks"),
        ("[include]\n\tpath = ../not-there\n", "not-there"),
        ('[includeIf "onbranch:main"]\npath = inner', ".git/inner"),
    ],
)
def test_what_the_configuration_leads_to(tmp_path: Path, config: str, part: str) -> None:
    (tmp_path / "shared.gitconfig").write_text(
        "[include]\npath = shared.gitconfig\n[core]\nhooksPath = .shared-hooks\n"
    )
    assert part in made(repository(tmp_path, config))


def test_names_are_bytes(tmp_path: Path) -> None:
    """And what is no UTF-8 is the name that git takes."""
    (repository(tmp_path) / ".git/config").write_bytes(b"[core]\nhooksPath = caf\xe9\n")
    assert os.fsdecode(b"caf\xe9") in made(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/.git").write_bytes(b"gitdir: a\0b\n")
    assert common_folder(f"{tmp_path}/other") is None


def test_what_other_configurations_lead_to(tmp_path: Path) -> None:
    folder = repository(tmp_path / "w")
    (folder / ".git/config.worktree").write_text("[core]\nhooksPath = .worktree-hooks\n")
    (tmp_path / "mine").write_text(f"[core]\nhooksPath = .my-hooks\n[include]\npath = {folder}/x\n")
    found = {
        part.path.removeprefix(f"{folder}/") for part in parts(str(folder), (f"{tmp_path}/mine",))
    }
    assert {".worktree-hooks", ".my-hooks", "x"} <= found
    assert not [path for path in found if path.startswith("/")]


_PROGRAMS = """
[core]
    fsmonitor = ./tools/missing
    editor = tools/there
    pager = tools/link
    askpass = nowhere/missing
    sshCommand = tools/ours
[filter "a"]
    clean = python3 tools/script.py
    smudge = python3 script.py
    process = sh gone.sh
[diff "a"]
    command = diff tools/text tools/there2 tools
    textconv = .git/hooks/there
[alias]
    away = !/bin/true
    outer = !../outer
"""


def test_programs_of_the_work_tree_that_it_names(tmp_path: Path) -> None:
    """There or not, where their folder is; but none that a link leads to, and no mere argument."""
    folder = repository(tmp_path / "w", _PROGRAMS)
    (folder / "tools").mkdir()
    for name in ("tools/there", "tools/there2", ".git/hooks/there", "../outer"):
        (folder / name).touch(mode=0o755)
    for name in ("tools/script.py", "script.py", "tools/text"):
        (folder / name).touch()
    (folder / "tools/link").symlink_to("there2")
    points = MountPoints()
    points.claim([Part(f"{folder}/tools/ours")])
    try:
        found = made(folder)
    finally:
        points.release()
    kept = ("missing", "there", "ours", "script.py", "there2")
    of_git = {".git/hooks": None, ".git/config": b"", ".git/commondir": COMMONDIR, **_BESIDE}
    assert found == of_git | {f"tools/{name}": None for name in kept} | {"script.py": None}


def test_what_git_obeys_in_every_repository(tmp_path: Path) -> None:
    """Wherever a variable says, and where git would look without it."""
    assert obeyed_everywhere("/h", {"XDG_CONFIG_HOME": "", "GIT_CONFIG_GLOBAL": "own"}) == (
        "/etc/gitconfig",
        "/h/.gitconfig",
        "/h/.config/git/config",
    )
    named = {
        "XDG_CONFIG_HOME": f"{tmp_path}/x",
        "GIT_CONFIG_GLOBAL": f"{tmp_path}/g",
        "GIT_CONFIG_SYSTEM": f"{tmp_path}/s",
    }
    found = obeyed_everywhere("/h", named)[3:]
    assert found == (f"{tmp_path}/x/git/config", f"{tmp_path}/s", f"{tmp_path}/g")


def test_what_such_files_lead_to_by_itself(tmp_path: Path) -> None:
    """And not a folder in each repository, which is looked for there."""
    mine = tmp_path / "mine"
    mine.write_text("[core]\nhooksPath = .hooks\n[include]\npath = more\n")
    (tmp_path / "more").write_text(f"[core]\nhooksPath = {tmp_path}/hooks\n")
    assert list(led_to_everywhere((str(mine), f"{tmp_path}/gone"))) == [
        Part(str(mine), b""),
        Part(f"{tmp_path}/gone", b""),
        Part(f"{tmp_path}/more", b""),
        Part(f"{tmp_path}/hooks"),
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_bare_one_is_kept_and_works(tmp_path: Path) -> None:
    """What is put there changes nothing for git."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    shutil.rmtree(tmp_path / "hooks")
    kept = made(tmp_path)
    assert kept == {"hooks": None, "config": b"", "commondir": COMMONDIR}
    (tmp_path / "hooks").mkdir()
    (tmp_path / "commondir").write_bytes(COMMONDIR)
    words = ("rev-parse", "--is-bare-repository", "--is-inside-work-tree")
    done = subprocess.run([*git, *words], check=True, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["true", "false"], "")


@pytest.mark.parametrize(
    ("says", "hooks"),
    [
        ("worktree = ../../../lib", "lib/.githooks"),
        ("worktree = ../../../../away", ".git/modules/lib/.githooks"),
        ("", ".git/modules/lib/.githooks"),
    ],
)
def test_hooks_of_a_submodule_are_where_its_work_tree_is(
    tmp_path: Path, says: str, hooks: str
) -> None:
    module = repository(tmp_path) / ".git/modules/lib"
    module.mkdir(parents=True)
    (module / "HEAD").touch()
    (module / "config").write_text(f"[core]\nhooksPath = .githooks\n{says}\n")
    assert hooks in made(tmp_path)


def test_nobody_is_kept_waiting_by_files_that_name_more_and_more(tmp_path: Path) -> None:
    config = "".join(f"[include]\npath = ../{number}\n" for number in range(1000))
    assert len(made(repository(tmp_path, config))) < 120


@pytest.mark.parametrize("path", ["..", "../..", "/etc", ".", "~/x", ".git"])
def test_a_configuration_can_not_close_what_is_none_of_its_business(
    tmp_path: Path, path: str
) -> None:
    """Somebody's command may have made this repository."""
    folder = repository(tmp_path / "w", f"[core]\n\thooksPath = {path}\n[include]\npath = {path}\n")
    assert set(made(folder)) - {".git/.git"} == {
        ".git/hooks",
        ".git/config",
        ".git/commondir",
        *_BESIDE,
    }


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_obeys_another_common_folder_and_takes_ours_for_none(tmp_path: Path) -> None:
    """The attack that `commondir` is kept from; and that what we put there changes nothing."""
    git = ["git", "-C", str(tmp_path / "w")]
    subprocess.run(["git", "init", "-q", str(tmp_path / "w")], check=True)
    mark = tmp_path / "mark"
    evil = tmp_path / "evil"
    shutil.copytree(tmp_path / "w/.git", evil)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    program.chmod(0o755)
    (evil / "config").write_text(f"[core]\n\tfsmonitor = {program}\n")
    common = tmp_path / "w/.git/commondir"
    common.write_text(f"{evil}\n")
    subprocess.run([*git, "status"], check=False, capture_output=True)
    assert mark.exists(), "what this defends against"
    common.write_bytes(COMMONDIR)
    mark.unlink()
    done = subprocess.run([*git, "status", "--short"], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert not mark.exists()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    ("kept", "is_obeyed"), [((), True), (("refs", "commondir"), False), (("commondir",), False)]
)
def test_git_takes_what_lies_beside_a_broken_repository(
    tmp_path: Path, kept: tuple[str, ...], *, is_obeyed: bool
) -> None:
    """What `refs` and `commondir` are kept from: while a run lasts, and when the first has gone."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    program.chmod(0o755)
    for name in ("objects", "refs", *kept):
        if name != "refs" or kept != ("commondir",):
            (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / ".git/HEAD").rename(tmp_path / "HEAD")
    (tmp_path / "config").write_text(
        f"[core]\n\trepositoryformatversion = 0\n\tworktree = .\n\tfsmonitor = {program}\n"
    )
    subprocess.run([*git, "status"], check=False, capture_output=True)
    assert mark.exists() is is_obeyed
