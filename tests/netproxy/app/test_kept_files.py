"""What others obey stays as it is where a command may write, and can't be made where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.errors import PlanRefused
from sandbox.profile import Profile
from tests.support.homes import made, make_home, missing, rights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path)


def test_what_is_there_is_kept_and_what_is_not_is_kept_out(home: Path) -> None:
    (home / "work/.git/hooks").mkdir(parents=True)
    (home / "work/.vscode").mkdir()
    (home / "work/deep/r/.git").mkdir(parents=True)
    (home / "work/deep/r/.idea").mkdir()
    found = made(home)
    held = rights(found, home)
    assert held["work/.git/hooks"] == held["work/.vscode"] == held["work/deep/r/.idea"] == "read"
    kept_out = missing(found, home)
    assert {"work/.git/commondir", "work/.git/config", "work/deep/r/.git/hooks"} <= kept_out
    assert {"work/refs", "work/commondir", "work/deep/r/refs"} <= kept_out
    assert not {"work/.vscode", "work/deep/r/.vscode", "work/.git"} & kept_out


@pytest.mark.parametrize("place", ["work", "work/deep/r", "work/hooks"])
def test_a_bare_repository_is_kept_wherever_somebody_stands_in_it(home: Path, place: str) -> None:
    """Its hooks run as soon as somebody pushes to it, what its settings name at a prompt."""
    top = home / place.removesuffix("/hooks")
    for name in ("objects", "refs", "hooks"):
        (top / name).mkdir(parents=True)
    (top / "HEAD").touch()
    (top / "config").touch()
    found = made(home, place if place.endswith("hooks") else "work")
    held = {path: right for path, right in rights(found, home).items() if right == "read"}
    below = str(top.relative_to(home))
    assert {f"{below}/hooks", f"{below}/config"} <= set(held)
    assert f"{below}/commondir" in missing(found, home)


def test_what_no_name_can_be_is_not_kept_out(home: Path) -> None:
    (home / "work/.git").mkdir()
    (home / "work/.git/config").write_text(
        f"[include]\npath = {256 * 'a'}\n[core]\nhooksPath = {256 * 'b'}/hooks\n"
        f"[include]\npath = {255 * 'c'}\n"
    )
    kept_out = {path for path in missing(made(home), home) if "aaa" in path or "bbb" in path}
    assert kept_out == set()
    assert f"work/.git/{255 * 'c'}" in missing(made(home), home)


def test_what_git_obeys_everywhere_is_kept_in_any_workspace(home: Path) -> None:
    """Those who keep their settings in a folder have it so, by its name or by links to it."""
    (home / "work/hooks").mkdir()
    (home / "work/gitconfig").write_text(
        f"[include]\npath = {home}/work/shared\n[core]\nhooksPath = {home}/work/hooks\n"
    )
    (home / ".gitconfig").symlink_to("work/gitconfig")
    (home / "dev").symlink_to("work")
    (home / ".config/git").mkdir()
    (home / ".config/git/config").write_text(f"[include]\npath = {home}/dev/gone/too\n")
    found = made(home)
    held = rights(found, home)
    assert held["work/gitconfig"] == held["work/hooks"] == "read"
    assert {"work/shared", "work/gone"} <= missing(found, home)
    opened = rights(made(home, write_paths=(home / "work/hooks",)), home)
    assert opened["work/hooks"] == "write"
    (home / ".gitconfig").write_text(f"[core]\nhooksPath = {home}/work\n")
    assert rights(made(home), home)["work"] == "write", "whose work that is"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (".gitconfig", "work/link/gitconfig"),
        (".gitconfig", "work/linked"),
        ("work/.git/hooks/pre-commit", "../../link/pre-commit"),
    ],
)
def test_a_link_on_the_way_that_the_command_could_turn_is_refused(
    home: Path, name: str, target: str
) -> None:
    (home / "work/.git/hooks").mkdir(parents=True)
    (home / "work/link").symlink_to(home / "work/sub")
    (home / "work/linked").symlink_to("/etc/hostname")
    made(home)
    (home / name).symlink_to(target)
    with pytest.raises(PlanRefused, match=r"work/link(ed)? is a link that the command could turn"):
        made(home)


def test_so_is_one_to_where_hooks_are_looked_for(home: Path) -> None:
    (home / "work/.git").mkdir()
    (home / "work/.git/config").write_text("[core]\nhooksPath = link/hooks\n")
    (home / "work/link").symlink_to("sub")
    with pytest.raises(PlanRefused, match=f"--write {home}/work/link/hooks"):
        made(home)
    (home / "work/sub/hooks").mkdir()
    made(home, write_paths=(home / "work/link/hooks",))


def test_below_what_is_missing_the_first_folder_is_kept_out_once(home: Path) -> None:
    """By what git is told, the user's own settings too, and by a profile."""
    (home / "work/.git").mkdir()
    (home / "work/.git/config").write_text("[core]\nhooksPath = tools/git/hooks\n")
    (home / ".gitconfig").write_text("[core]\nhooksPath = .husky/_\n")
    mine = Profile(name="mine", extends="workspace", read=("vendor/lib/config", "tools/x"))
    for _ in range(2):
        found = made(home, files="mine", profiles=(mine,))
        paths = [part.path.removeprefix(f"{home}/work/") for part in found.missing]
        assert {"tools", "vendor", ".husky"} <= set(paths)
        assert len(paths) == len(set(paths))
        assert not [path for path in paths if path.startswith(("tools/", "vendor/", ".husky/"))]
        for name in ("tools", "vendor", ".husky"):  # another run is there now
            (home / "work" / name).mkdir(exist_ok=True)
            (home / "work" / name).chmod(0o1755)


def test_a_file_that_a_kept_link_leads_to_is_kept(home: Path) -> None:
    for name in ("work/.git/hooks", "work/scripts", "work/secrets", "outside"):
        (home / name).mkdir(parents=True)
    for name in ("work/scripts/pre-commit", "work/secrets/key", "outside/pre-push"):
        (home / name).touch()
    for name, target in {
        "pre-commit": "../../scripts/pre-commit",
        "post-merge": "../../scripts/not-there",
        "pre-push": str(home / "outside/pre-push"),
        "key": "../../secrets/key",
        "folder": "../../scripts",
        "gone": "../../secrets/gone",
    }.items():
        (home / "work/.git/hooks" / name).symlink_to(target)
    found = made(home, hide_paths=(home / "work/secrets",))
    assert rights(found, home)["work/scripts/pre-commit"] == "read"
    assert "work/scripts/not-there" in missing(found, home)
    closed = {"work/secrets/key", "work/secrets/gone", "outside/pre-push", "work/scripts"}
    assert not closed & {*rights(found, home), *missing(found, home)}


def test_a_repository_of_the_commands_opens_nothing_that_is_hidden(home: Path) -> None:
    """It makes one around it, and names it as where the hooks are."""
    (home / "work/sub/secrets/keys").mkdir(parents=True)
    (home / "work/sub/.git").mkdir()
    (home / "work/sub/.git/config").write_text("[core]\nhooksPath = secrets/keys\n")
    found = made(home, hide_paths=(home / "work/sub/secrets",))
    assert "work/sub/secrets/keys" not in rights(found, home)


def test_hooks_of_a_further_work_tree_lie_in_it(home: Path) -> None:
    own = home / "main/.git/worktrees/side"
    own.mkdir(parents=True)
    (home / "main/.git/config").write_text("[core]\nhooksPath = .githooks\n")
    (home / "work/.git").write_text(f"gitdir: {own}\n")
    (own / "gitdir").write_text(f"{home}/work/.git\n")
    (own / "commondir").write_text("../..\n")
    assert "work/.githooks" in missing(made(home), home)


def test_what_makes_a_repository_of_a_workspace_is_looked_for_at_the_end(home: Path) -> None:
    assert made(home).unborn == [f"{home}/work/.git", f"{home}/work/HEAD"]
    (home / "work/HEAD").touch()
    assert made(home).unborn == [f"{home}/work/.git"]
    (home / "work/.git").mkdir()
    assert made(home).unborn == []


def test_what_another_run_keeps_out_is_kept_out_by_this_one_too(home: Path) -> None:
    """It goes when the last that holds it does."""
    for name in (".vscode", "kept", "own"):
        (home / "work" / name).mkdir()
        (home / "work" / name).chmod(0o755 if name == "own" else 0o1755)
    found = made(home, read_paths=(str(home / "work/kept"), str(home / "work/own")))
    assert {"work/.vscode", "work/kept"} <= missing(found, home)
    assert rights(found, home)["work/own"] == "read"


@pytest.mark.parametrize("mode", [0o1777, 0o1755])
def test_a_sticky_folder_of_somebodys_own_is_no_mount_point(home: Path, mode: int) -> None:
    """As /tmp and spools have it; what is said of one holds."""
    for folder in (home / "drop", home / "work/drop"):
        folder.mkdir()
        folder.chmod(mode)
        (folder / "secret").touch()
    found = made(home, hide_paths=(str(home / "drop"), str(home / "work/drop")))
    assert rights(found, home)["drop"] == rights(found, home)["work/drop"] == "none"
    shared = Profile(name="shared", extends="workspace", read=(":tmp",))
    assert rights(made(home, files="shared", profiles=(shared,)), home)["/tmp"] == "read"
    assert rights(made(home, hide_paths=("/tmp",)), home)["/tmp"] == "none"


def test_nor_is_one_where_no_run_makes_any(home: Path) -> None:
    (home / "empty").mkdir()
    (home / "empty").chmod(0o1755)
    assert rights(made(home, hide_paths=(str(home / "empty"),)), home)["empty"] == "none"


def test_a_link_that_would_have_to_be_kept_is_refused(home: Path) -> None:
    (home / "work/.vscode").symlink_to(home / ".config")
    with pytest.raises(PlanRefused, match=r"\.vscode is a link"):
        made(home)
    opened = made(home, write_paths=(home / "work/.vscode",))
    assert rights(opened, home)[".config"] == "write"


def test_in_what_is_merely_writable_only_what_git_obeys_is_kept(home: Path) -> None:
    (home / "cache/r/.git/hooks").mkdir(parents=True)
    (home / "cache/.vscode").mkdir()
    found = made(home, write_paths=(home / "cache",))
    assert rights(found, home)["cache/r/.git/hooks"] == "read"
    assert "cache/.vscode" not in rights(found, home)
    assert not [path for path in missing(found, home) if path.startswith("cache")]
