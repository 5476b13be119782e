"""What a profile comes to on a disk: what exists, what is kept out, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netproxy.app.file_rules import FolderMissing, file_rules, sweep_workspace
from netproxy.app.sandbox_settings import SandboxSettings
from sandbox.errors import PlanRefused
from sandbox.model import Right
from sandbox.plan import in_force
from sandbox.profile import SETTINGS, Profile
from tests.support.homes import made, make_home, missing, rights

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path)


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
    found = file_rules(SandboxSettings(), cwd=folder, homes=(str(home),), obeyed=())
    assert "write" not in rights(found, home).values()
    assert found.missing == []


def test_so_it_is_with_the_home_of_the_password_database(home: Path, tmp_path: Path) -> None:
    """$HOME may be another folder; ssh takes its keys from this one all the same."""
    other = tmp_path / "other"
    (other / "work").mkdir(parents=True)

    def found(cwd: Path, files: str = "workspace") -> dict[str, str]:
        sandbox = SandboxSettings(files=files)
        homes = (str(other), str(home))
        return rights(file_rules(sandbox, cwd=str(cwd), homes=homes, obeyed=()), home)

    assert "write" not in found(home).values()
    here = found(home / "work")
    assert [here[name] for name in ("work", ".ssh", ".netrc")] == ["write", "none", "none"]
    assert found(other / "work")[".ssh"] == "none"
    assert ".ssh" not in found(other / "work", "network-only")


def test_the_workspace_is_the_repository_around(home: Path) -> None:
    (home / "work/.git").mkdir()
    found = rights(made(home, "work/sub"), home)
    assert found["work"] == "write"
    assert "work/sub" not in found
    (home / ".git").mkdir()
    (home / "work/.git").rmdir()
    assert rights(made(home, "work/sub"), home)["work/sub"] == "write", "home is none"


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


def test_what_a_link_leads_to_is_what_counts(home: Path, tmp_path: Path) -> None:
    (home / ".ssh").rmdir()
    (tmp_path / "keys").mkdir()
    (home / ".ssh").symlink_to(tmp_path / "keys")
    (home / ".aws").symlink_to("nowhere")
    (home / ".gnupg").symlink_to(".gnupg")
    found = made(home)
    assert rights(found, home)[str(tmp_path / "keys")] == "none"
    assert not {".ssh", ".aws", ".gnupg"} & rights(found, home).keys()


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
            homes=(str(home),),
            obeyed=(),
            runtime=str(home / "run"),
        )
        assert ("run" in rights(found, home)) is is_hidden


def test_what_killed_runs_left_is_swept_in_all_repositories(home: Path) -> None:
    (home / "work/deep/r/.git").mkdir(parents=True)
    for name in (".vscode", "deep/r/.git/hooks", "deep/r/refs", "own"):
        (home / "work" / name).mkdir()
        (home / "work" / name).chmod(0o1755)
    swept = sweep_workspace(str(home / "work/sub"), str(home), ())
    assert swept == ()
    swept = sweep_workspace(str(home / "work"), str(home), ())
    assert {path.removeprefix(f"{home}/work/") for path in swept} == {
        ".vscode",
        "deep/r/.git/hooks",
        "deep/r/refs",
    }
    assert (home / "work/own").is_dir()
    (home / "work/.vscode").symlink_to("own")
    assert sweep_workspace(str(home / "work"), str(home), ()) == ()
