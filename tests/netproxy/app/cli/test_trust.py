"""`netproxy trust` says what it is about to trust, and trusts nothing that doesn't fit."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.trust import main
from netproxy.app.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

type Say = Callable[..., tuple[int, str, str]]

FILE = """\
[profiles.p.network]
default = "deny"
deny = ["**.evil.test"]
allow_private = []

[profiles.q.network]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    path = tmp_path / "project" / "netproxy.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def is_trusted(project: Path) -> bool:
    store = TrustStore(project.parent.parent / "state" / "netproxy")
    return str(project) in store.entries()


def test_it_shows_what_it_trusts(project: Path, say: Say) -> None:
    status, out, err = say("--yes")
    assert (status, err) == (0, "")
    assert out == (
        f"{project}\nprofile p:\n  default deny\n  deny **.evil.test\n"
        f"profile q:\n  says nothing\ntrusted: {project}\n"
    )
    assert is_trusted(project)


def test_once_more_there_is_nothing_to_do(project: Path, say: Say) -> None:
    say("--yes")
    assert say("--yes") == (0, f"{project} is trusted already, as it is\n", "")


@pytest.mark.parametrize("given", ["{}", "{}/netproxy.toml", "{}/../project"])
def test_a_folder_or_its_file(project: Path, say: Say, given: str) -> None:
    assert say("--yes", given.format(project.parent))[0] == 0
    assert is_trusted(project)


def test_without_a_terminal_nobody_said_yes(project: Path, say: Say) -> None:
    status, _, err = say()
    assert (status, err) == (64, "netproxy trust: there is no terminal to ask on, give --yes\n")
    assert not is_trusted(project)


def test_every_problem_is_told_and_nothing_trusted(project: Path, say: Say) -> None:
    project.write_text("[profiles.p.network]\nallow = ['a.test']\non_denial = 'block'\n")
    status, _, err = say("--yes")
    assert status == 78
    assert err.startswith(f"netproxy trust: {project}:2:10 profiles.p.network.allow[0]: a.test ")
    assert err.count("\n") == 2
    assert not is_trusted(project)


def test_what_the_user_gives_to_projects_in_another_file(project: Path, say: Say) -> None:
    project.write_text("[profiles.p.network]\nallow = ['a.test']\n")
    given = project.with_name("mine.toml")
    given.write_text("[projects]\nallow = ['*.b.test', 'a.test']\n")
    assert say("--yes", "--config", str(given))[0] == 0


def test_what_is_wider_than_the_users_own_rules_is_marked(project: Path, say: Say) -> None:
    project.write_text(
        "[profiles.p.network]\nallow = ['a.test', 'b.test']\n"
        "allow_private = ['10.0.0.0/8', '10.9.0.0/16']\n"
    )
    given = project.with_name("mine.toml")
    given.write_text(
        "[projects]\nallow = ['a.test']\nallow_private = ['10.0.0.0/8']\n"
        "[profiles.x.network]\nallow = ['b.test']\nallow_private = ['10.9.0.0/16']\n"
    )
    _, out, _ = say("--yes", "--config", str(given))
    assert out.splitlines()[2:6] == [
        "  allow_private 10.0.0.0/8 (wider than your own rules)",
        "  allow_private 10.9.0.0/16",
        "  allow a.test (wider than your own rules)",
        "  allow b.test",
    ]


def test_of_the_users_profiles_one_may_be_named(project: Path, say: Say) -> None:
    project.write_text("[profiles.p.network]\nallow = ['a.test']\n")
    given = project.with_name("mine.toml")
    given.write_text("[profiles.x.network]\nallow = ['a.test']\n[profiles.y.network]\n")
    config = ("--yes", "--config", str(given))
    assert "default_profile: is missing" in say(*config)[2]
    assert "more than the user allows" in say(*config, "--profile", "y")[2]
    assert say(*config, "--profile", "x")[0] == 0


def test_a_folder_that_became_a_link_is_forgotten_by_its_old_name(project: Path, say: Say) -> None:
    say("--yes")
    old = project.parent
    old.rename(old.with_name("elsewhere"))
    old.symlink_to(old.with_name("elsewhere"))
    assert say("--remove", str(old)) == (0, f"not trusted any more: {project}\n", "")


def test_no_file(project: Path, say: Say) -> None:
    project.unlink()
    assert say("--yes") == (78, "", f"netproxy trust: {project}: there is no such file\n")


def test_list_and_remove(project: Path, say: Say) -> None:
    assert say("--list") == (0, "", "")
    say("--yes")
    _, out, _ = say("--list")
    assert out.endswith(f"  {project}\n")
    _, out, _ = say("--list", "--json")
    found = json.loads(out)
    assert found["path"] == str(project)
    assert len(found["sha256"]) == 64
    assert say("--remove") == (0, f"not trusted any more: {project}\n", "")
    assert say("--remove") == (1, "", f"netproxy trust: {project} was not trusted\n")


def test_hostile_text_can_not_disturb_the_screen(project: Path, say: Say) -> None:
    project.write_text('["profiles"."\\u001b[2J\\u202e".network]\ndeny = ["a.test"]\n')
    _, out, _ = say("--yes")
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_folder_that_the_terminal_can_not_spell(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.parent.parent / "\xfc"
    folder.mkdir()
    (folder / "netproxy.toml").write_text(FILE)
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(["--yes", str(folder)]) == 0
    assert is_trusted(folder / "netproxy.toml")
    screen.seek(0)
    assert screen.read().endswith("/\\xfc/netproxy.toml\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--list", "--remove"), "--remove: not allowed with argument --list"),
        (("--json",), "--json goes with --list"),
        (("--remove", "--json"), "--json goes with --list"),
    ],
)
def test_what_does_not_go_together_does_nothing(
    project: Path, say: Say, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    say("--yes")
    with pytest.raises(SystemExit) as left:
        main([*words])
    assert left.value.code == 64
    assert said in capsys.readouterr().err
    assert is_trusted(project)
