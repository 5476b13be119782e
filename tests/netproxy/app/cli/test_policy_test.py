"""`netproxy policy test` judges as a run would, by the files it names and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.policy_test import main
from tests.support.people import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = ROOT / "deploy/examples/policy/cases.toml"
USER = """\
default_profile = "dev"
[profiles.dev.network]
default = "deny"
allow = ["a.test:443"]
[profiles.open.network]
default = "allow"
[projects]
allow = ["*.b.test:443"]
"""
# What it says when somebody looks something up.
WATCHED = """
import sys
from netproxy.app.cli.policy_test import main
def watch(event, args):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(watch)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(USER)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str]]:
    status = main([str(word) for word in words])
    captured = capsys.readouterr()
    return status, (captured.out + captured.err).splitlines()


def cases(folder: Path, text: str, *expected: tuple[str, str]) -> Path:
    """A file of (destination, verdict)."""
    path = folder / "cases.toml"
    tables = "".join(
        f'[[cases]]\ndestination = "{destination}"\nverdict = "{verdict}"\n'
        for destination, verdict in expected
    )
    path.write_text(f"{text}\n{tables}")
    return path


def test_the_sample_holds(capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = run(capsys, SAMPLE)
    assert (status, lines[-1]) == (0, f"{len(lines) - 1} cases, 0 failed")
    assert lines[0].startswith("ok    https://pypi.org:443 (the package index): allow (")


def test_what_is_not_met_fails_with_the_reason_and_both_places(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    path = cases(
        folder, 'config = "config.toml"', ("https://a.test", "deny"), ("https://b.test", "deny")
    )
    assert run(capsys, path) == (
        1,
        [
            (
                f"FAIL  {path}:2:1 cases[0]: https://a.test:443: expected deny, got allow "
                "(allowed_by_rule: rule a.test:443 (config.toml:4))"
            ),
            "ok    https://b.test:443: deny (not_allowed: no rule matches b.test:443)",
            "2 cases, 1 failed",
        ],
    )


def test_json_is_an_object_a_case(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = cases(folder, 'config = "config.toml"', ("https://a.test", "deny"))
    status, (line,) = run(capsys, "--json", path)
    assert status == 1
    assert json.loads(line) == {
        "case": f"{path}:2:1 cases[0]",
        "name": None,
        "destination": "https://a.test:443",
        "met": False,
        "expected": {"verdict": "deny", "reason": None, "rule": None},
        "verdict": "allow",
        "reason": "allowed_by_rule",
        "rule": "a.test:443 (config.toml:4)",
        "explanation": "",
    }


def test_without_files_the_defaults_are_judged(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Whatever this machine's own settings say."""
    path = cases(folder, "", ("https://a.test", "ask"), ("http://10.0.0.1", "deny"))
    assert run(capsys, path)[0] == 0


def test_another_profile(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = cases(
        folder, 'config = "config.toml"\nprofile = "open"', ("https://elsewhere.test", "allow")
    )
    assert run(capsys, path)[0] == 0


def test_a_project_adds_what_it_may(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "netproxy.toml").write_text(
        '[profiles.dev.network]\nallow = ["x.b.test:443"]\ndeny = ["a.test"]\n'
    )
    text = 'config = "config.toml"\nproject = "netproxy.toml"'
    path = cases(folder, text, ("https://x.b.test", "allow"), ("https://a.test", "deny"))
    assert run(capsys, path)[0] == 0


def test_a_project_that_goes_too_far_is_a_bad_file(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    project = folder / "netproxy.toml"
    project.write_text('[profiles.dev.network]\nallow = ["evil.test:443"]\n')
    text = 'config = "config.toml"\nproject = "netproxy.toml"'
    status, (line,) = run(capsys, cases(folder, text, ("https://evil.test", "allow")))
    assert status == 78
    assert line.startswith(
        f"netproxy policy test: {project}:2:10 profiles.dev.network.allow[0]: evil.test:443 "
    )
    assert str(folder / "config.toml") in line


def test_a_managed_file_bounds(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    managed = folder / "requirements.toml"
    managed.write_text(
        '[network]\ndeny = ["x.test"]\nallow = ["a.test:443", "x.test"]\nmay_ask = false\n'
    )
    text = 'requirements = "requirements.toml"'
    path = cases(folder, text, ("https://x.test", "deny"), ("https://a.test", "deny"))
    assert run(capsys, path)[0] == 0
    (folder / "config.toml").write_text('[profiles.dev.network]\nallow = ["a.test:22"]\n')
    text += '\nconfig = "config.toml"'
    status, (line,) = run(capsys, cases(folder, text, ("https://a.test", "deny")))
    assert status == 78
    assert f"{folder / 'config.toml'}:2:10" in line
    assert f"{managed}:3:1" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('config = "none.toml"', "none.toml: there is no such file"),
        ('requirements = "none.toml"', "none.toml: there is no such file"),
        ('profile = "x"', "profile 'x': there is no settings file"),
        ('confg = "x"', "1:1 confg: unknown key, did you mean config?"),
    ],
)
def test_bad_files(capsys: pytest.CaptureFixture[str], folder: Path, text: str, said: str) -> None:
    status, (line,) = run(capsys, cases(folder, text, ("https://a.test", "deny")))
    assert status == 78
    assert line.startswith("netproxy policy test: ")
    assert line.endswith(said)


def test_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 64


def test_nothing_is_looked_up(folder: Path) -> None:
    """A test of a policy must not tell a name server what it is about."""
    path = cases(folder, 'config = "config.toml"', ("https://a.test", "allow"))
    path.write_text(f'{path.read_text()}addresses = ["10.0.0.1"]\n')
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(path), str(SAMPLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "a.test resolves to a private address" in done.stdout
