"""A folder is looked through as far as it was said, never through a link, never for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sandbox.scan import files_led_to, survey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/b/c/d", "node_modules/x", "r/.git/modules", "r/deep/s", "elsewhere"):
        (tmp_path / "root" / name).mkdir(parents=True)
    root = tmp_path / "root"
    (root / "r/deep/s/.git").write_text("gitdir: x\n")
    for name in (".env", "a/.env", "a/b/c/.env", "a/b/c/d/.env", "node_modules/x/.env"):
        (root / name).touch()
    (root / "node_modules/x/.git").mkdir()
    (root / "link").symlink_to(root / "elsewhere")
    (root / "elsewhere/.env").touch()
    (root / "linked.env").symlink_to(root / ".env")
    return root


def test_repositories_are_found_but_not_among_installed_packages(root: Path) -> None:
    found = survey(str(root), depth=3)
    assert found.repositories == [f"{root}/r", f"{root}/r/deep/s"]
    assert not found.matches
    assert not found.is_cut


def test_a_folder_that_git_takes_for_a_repository_is_one(root: Path) -> None:
    """Once, where it has a `.git` as well."""
    for folder in ("a/b", "r", "elsewhere"):
        for name in ("HEAD", "objects", "refs"):
            (root / folder / name).touch()
    (root / "elsewhere/HEAD").unlink()
    found = survey(str(root), depth=3).repositories
    assert found == [f"{root}/r", f"{root}/a/b", f"{root}/r/deep/s"]


def test_what_is_wanted_is_found_everywhere_down_to_the_depth(root: Path) -> None:
    found = survey(str(root), depth=3, wanted=lambda path: path.endswith(".env"))
    names = [path.removeprefix(f"{root}/") for path, _ in found.matches]
    assert names == [".env", "a/.env", "elsewhere/.env", "node_modules/x/.env", "a/b/c/.env"]
    assert f"{root}/node_modules/x" in found.repositories


def test_no_link_is_followed_or_taken(root: Path) -> None:
    found = survey(str(root), depth=9, wanted=lambda path: "link" in path)
    assert found.matches == []


def test_a_folder_that_is_wanted_is_taken_as_a_whole(root: Path) -> None:
    found = survey(str(root), depth=9, wanted=lambda path: path in {"a", "a/b"})
    assert found.matches == [(f"{root}/a", True)]


def test_a_folder_that_can_not_be_listed_is_told_if_the_command_gets_in(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root lists everything, so the kernel's no is played."""
    listed = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("/b"):
            raise PermissionError(path)
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    assert survey(str(root), depth=9).unlisted == [f"{root}/a/b"]
    monkeypatch.setattr("os.access", lambda *_: False)
    assert survey(str(root), depth=9).unlisted == [f"{root}/a/b"], "it could open its own"
    monkeypatch.setattr("os.geteuid", lambda: 987_654)
    assert survey(str(root), depth=9).unlisted == []


def test_where_links_lead_that_lead_to_no_folder(root: Path) -> None:
    assert list(files_led_to(str(root))) == [str(root / ".env")]
    assert list(files_led_to(str(root / ".env"))) == []


def test_it_ends_and_says_so(root: Path) -> None:
    assert survey(str(root), depth=9, most=8).is_cut
    assert survey(str(root), depth=9, wanted=lambda _: False, most=3).is_cut
    assert not survey(str(root / "nowhere"), depth=9).is_cut
