"""What a profile comes to on a disk: what exists, what is kept out, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.file_rules import FileRules, FolderMissing, file_rules, sweep_workspace
from netproxy.app.sandbox_settings import SandboxSettings
from sandbox.errors import PlanRefused
from sandbox.model import Right
from sandbox.plan import in_force
from sandbox.profile import SETTINGS, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (".ssh", "work/sub", ".config/gh"):
        (tmp_path / "home" / name).mkdir(parents=True)
    (tmp_path / "home/.netrc").touch()
    return tmp_path / "home"


def made(home: Path, cwd: str = "work", **said: object) -> FileRules:
    return file_rules(SandboxSettings(**said), cwd=str(home / cwd), home=str(home))  # type: ignore[arg-type]  # a test's own words


def rights(found: FileRules, home: Path) -> dict[str, str]:
    """What holds at each path, those below home relative to it."""
    return {
        path.removeprefix(f"{home}/"): str(rule.right)
        for path, rule in in_force(found.rules).items()
    }


def missing(found: FileRules, home: Path) -> set[str]:
    return {part.path.removeprefix(f"{home}/") for part in found.missing}


def test_the_usual_profile(home: Path) -> None:
    found = made(home)
    assert rights(found, home) == {
        "/": "read",
        "/tmp": "private",
        "work": "write",
        ".ssh": "none",
        ".netrc": "none",
        ".config/gh": "none",
    }
    assert missing(found, home) == {f"work/{name}" for name in SETTINGS}
    assert found.identities == {
        str(home / "work"): ((home / "work").stat().st_dev, (home / "work").stat().st_ino)
    }
    assert [rule.path for rule in found.rules if rule.is_file] == [str(home / ".netrc")]


@pytest.mark.parametrize("cwd", ["..", "."])
def test_home_and_what_is_above_is_no_workspace(home: Path, cwd: str) -> None:
    folder = os.path.normpath(home / cwd)
    found = file_rules(SandboxSettings(), cwd=folder, home=str(home))
    assert "write" not in rights(found, home).values()
    assert found.missing == []


def test_the_workspace_is_the_repository_around(home: Path) -> None:
    (home / "work/.git").mkdir()
    found = rights(made(home, "work/sub"), home)
    assert found["work"] == "write"
    assert "work/sub" not in found
    (home / ".git").mkdir()
    (home / "work/.git").rmdir()
    assert rights(made(home, "work/sub"), home)["work/sub"] == "write", "home is none"


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


def test_several_workspaces(home: Path) -> None:
    (home / "other").mkdir()
    found = made(home, workspaces=(home / "other",))
    assert rights(found, home)["other"] == "write"
    assert "other/.claude" in missing(found, home)
    with pytest.raises(FolderMissing, match=r"--workspace .*nowhere"):
        made(home, workspaces=(home / "nowhere",))


def test_read_only_and_network_only(home: Path) -> None:
    found = made(home, files="read-only")
    assert "write" not in rights(found, home).values()
    assert rights(found, home)[".ssh"] == "none"
    found = made(home, files="network-only")
    assert rights(found, home)["/"] == "write"
    assert ".ssh" not in rights(found, home)
    assert rights(found, home)["/etc"] == "read"
    assert found.missing == []


def test_what_is_named_for_a_run_wins_over_the_profile(home: Path) -> None:
    (home / "work/.vscode").mkdir()
    found = made(
        home,
        write_paths=(home / "work/.vscode",),
        read_paths=(str(home / ".ssh"), str(home / "work/sub")),
        hide_paths=(str(home / "work/sub"),),
    )
    held = rights(found, home)
    assert (held["work/.vscode"], held[".ssh"], held["work/sub"]) == ("write", "read", "none")


def test_what_is_named_has_to_be_there(home: Path) -> None:
    for said in ({"write_paths": (home / "x",)}, {"hide_paths": (str(home / "work/x"),)}):
        with pytest.raises(FolderMissing, match="no such file"):
            made(home, **said)
    with pytest.raises(FolderMissing, match=r"--read"):
        made(home, read_paths=(str(home / "x"),))
    kept = made(home, read_paths=(str(home / "work/.github"),))
    assert "work/.github" in missing(kept, home), "or be kept out"


def test_nobody_writes_the_whole_disk_by_the_way(home: Path) -> None:
    with pytest.raises(PlanRefused, match="network-only"):
        made(home, write_paths=(Path("/"),))


def test_a_path_is_what_it_says_whatever_is_in_it(home: Path) -> None:
    """Brackets are no glob in one."""
    for name in ("work/d[1]", "work/d1", "d[1]", "d1"):
        (home / name).mkdir()
    found = made(home, write_paths=(home / "d[1]",), hide_paths=(home / "work/d[1]",))
    held = rights(found, home)
    assert (held["d[1]"], held["work/d[1]"]) == ("write", "none")
    assert not {"d1", "work/d1"} & set(held)


def test_what_can_not_be_listed_is_closed_as_a_whole_where_a_glob_could_match(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def scandir(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("/sub"):
            raise PermissionError(path)
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    assert rights(made(home, hide_paths=("*.env",)), home)["work/sub"] == "none"
    assert rights(made(home, read_paths=("*.env",)), home)["work/sub"] == "read"
    assert "work/sub" not in rights(made(home, hide_paths=("other/*.env",)), home)


def test_a_glob_means_what_is_called_like_it_too(home: Path) -> None:
    for name in ("app/[id]", "app/i"):
        (home / "work" / name).mkdir(parents=True)
    held = rights(made(home, hide_paths=("app/[id]",)), home)
    assert held["work/app/[id]"] == held["work/app/i"] == "none"


def test_globs(home: Path) -> None:
    (home / "work/sub/prod.env").touch()
    (home / "work/sub/key.pem").touch()
    (home / "work/sub/link.env").symlink_to("prod.env")
    found = made(home, hide_paths=("**/*.env",), read_paths=("*.pem",))
    held = rights(found, home)
    assert (held["work/sub/prod.env"], held["work/sub/key.pem"]) == ("none", "read")
    assert "work/sub/link.env" not in held
    mine = Profile(name="mine", extends="read-only", hide=("~/work/*/*.env",))
    found = made(home, profiles=(mine,), files="mine")
    assert rights(found, home)["work/sub/prod.env"] == "none", "whether it may be written or not"


def test_a_glob_in_too_much_is_refused_unless_a_depth_is_given(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox import scan

    monkeypatch.setattr(scan, "MOST_ENTRIES", 1)
    (home / "work/.env").touch()
    with pytest.raises(PlanRefused, match="scan_depth"):
        made(home, hide_paths=("*.env",))
    assert "repositories" in made(home).notes[0]
    mine = Profile(name="mine", extends="workspace", hide=("*.env",), scan_depth=1)
    assert rights(made(home, profiles=(mine,), files="mine"), home)["work/.env"] == "none"


def test_standing_in_a_hidden_folder_does_not_open_it(home: Path) -> None:
    with pytest.raises(PlanRefused, match="--workspace"):
        made(home, ".config/gh")
    found = made(home, ".config/gh", workspaces=(home / ".config/gh",))
    assert rights(found, home)[".config/gh"] == "write"


def test_a_link_that_would_have_to_be_kept_is_refused(home: Path) -> None:
    (home / "work/.vscode").symlink_to(home / ".config")
    with pytest.raises(PlanRefused, match=r"\.vscode is a link"):
        made(home)
    opened = made(home, write_paths=(home / "work/.vscode",))
    assert rights(opened, home)[".config"] == "write"


def test_what_a_link_leads_to_is_what_counts(home: Path, tmp_path: Path) -> None:
    (home / ".ssh").rmdir()
    (tmp_path / "keys").mkdir()
    (home / ".ssh").symlink_to(tmp_path / "keys")
    (home / ".aws").symlink_to("nowhere")
    found = made(home)
    assert rights(found, home)[str(tmp_path / "keys")] == "none"
    assert ".ssh" not in rights(found, home)


def test_in_what_is_merely_writable_only_what_git_obeys_is_kept(home: Path) -> None:
    (home / "cache/r/.git/hooks").mkdir(parents=True)
    (home / "cache/.vscode").mkdir()
    found = made(home, write_paths=(home / "cache",))
    assert rights(found, home)["cache/r/.git/hooks"] == "read"
    assert "cache/.vscode" not in rights(found, home)
    assert not [path for path in missing(found, home) if path.startswith("cache")]


def test_a_profile_with_nothing_but_what_it_names(home: Path) -> None:
    mine = Profile(name="mine", read=(":minimal", "gone"), write=(":workspace", ":tmp"))
    found = made(home, profiles=(mine,), files="mine")
    held = {path: rule.right for path, rule in in_force(found.rules).items()}
    assert held["/usr"] is Right.READ
    assert "/" not in held
    assert "work/gone" in missing(found, home)
    for link, target in found.shortcuts.items():
        assert os.path.realpath(link) == target


def test_the_sockets_of_a_login_session_are_hidden(home: Path) -> None:
    (home / "run").mkdir()
    for files, is_hidden in (("workspace", True), ("network-only", False)):
        found = file_rules(
            SandboxSettings(files=files),
            cwd=str(home / "work"),
            home=str(home),
            runtime=str(home / "run"),
        )
        assert ("run" in rights(found, home)) is is_hidden


def test_what_killed_runs_left_is_swept_in_all_repositories(home: Path) -> None:
    (home / "work/deep/r/.git").mkdir(parents=True)
    for name in (".vscode", "deep/r/.git/hooks", "deep/r/refs", "own"):
        (home / "work" / name).mkdir()
        (home / "work" / name).chmod(0o1755)
    swept = sweep_workspace(str(home / "work/sub"), str(home))
    assert swept == ()
    swept = sweep_workspace(str(home / "work"), str(home))
    assert {path.removeprefix(f"{home}/work/") for path in swept} == {
        ".vscode",
        "deep/r/.git/hooks",
        "deep/r/refs",
    }
    assert (home / "work/own").is_dir()
    (home / "work/.vscode").symlink_to("own")
    assert sweep_workspace(str(home / "work"), str(home)) == ()
