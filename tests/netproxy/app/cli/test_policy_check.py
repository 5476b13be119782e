"""`netproxy policy check` finds everything, and its status says whether it did."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.policy_check import main
from netproxy.app.trust import TrustStore
from tests.support.people import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = ROOT / "deploy/examples/policy"


def check(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str]]:
    status = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert captured.err == ""
    return status, captured.out.splitlines()


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.toml"
    path.write_text('defaul_profile = "dev"\n[profiles.dev.network]\nallow = ["*.com"]\n')
    return path


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_samples_are_good(capsys: pytest.CaptureFixture[str], sample: Path) -> None:
    status, lines = check(capsys, "--strict", sample)
    assert (status, lines[0].partition(": ")[2][:6]) == (0, "a good")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_samples_tell_editors_what_they_are(sample: Path) -> None:
    first = sample.read_text().partition("\n")[0]
    assert first.startswith("#:schema ")
    assert (sample.parent / first.removeprefix("#:schema ")).resolve().is_file()


@pytest.mark.parametrize("kind", ["config", "project"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'default_profile = "dve"\n[profiles.dev.network]\n',
            "1:1 default_profile: there is no profile 'dve', did you mean dev?",
        ),
        (
            "[profiles.a.network]\n[profiles.b.network]\n",
            "1:1 default_profile: is missing: say which of a, b holds, or give --profile",
        ),
    ],
)
def test_a_file_that_no_run_could_take_is_not_good(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, text: str, problem: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    assert check(capsys, "--as", kind, path) == (78, [f"{path}:{problem}"])


def test_everything_that_is_wrong_comes_at_once(
    capsys: pytest.CaptureFixture[str], bad: Path
) -> None:
    assert check(capsys, bad, SAMPLES / "config.toml", bad.with_name("none.toml")) == (
        78,
        [
            f"{bad}:1:1 defaul_profile: unknown key, did you mean default_profile?",
            (
                f"{bad}:3:10 profiles.dev.network.allow[0]: '*.com' would cover everybody's names "
                "below com, did you mean *.example.com?"
            ),
            *check(capsys, SAMPLES / "config.toml")[1],
            f"{bad.with_name('none.toml')}: there is no such file",
        ],
    )


def test_a_file_can_be_said_to_be_another_kind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "netproxy.toml"
    path.write_text("[resolver]\n")
    assert check(capsys, path)[0] == 78
    assert check(capsys, "--as", "config", path)[0] == 0


def test_json_is_an_object_a_file(capsys: pytest.CaptureFixture[str], bad: Path) -> None:
    status, lines = check(capsys, "--json", bad, SAMPLES / "cases.toml")
    first, second = map(json.loads, lines)
    assert status == 78
    assert (first["file"], first["kind"], len(first["problems"])) == (str(bad), "config", 2)
    assert (second["kind"], second["problems"]) == ("cases", [])
    assert second["cases"] > 5


def test_a_long_bundle_is_shown_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "long.toml"
    entries = [f"host-{number}.example.org:443" for number in range(2000)]
    path.write_text(f"[bundles]\nlong = {json.dumps(entries)}\n")
    assert check(capsys, path)[1][-1] == f"  @long = {', '.join(entries)}"
    assert json.loads(check(capsys, "--json", path)[1][0])["bundles"] == {"long": entries}


def test_nothing_reaches_the_terminal_but_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "\x1b[2J.toml"
    path.write_text("")
    assert check(capsys, path) == (0, [rf"{tmp_path}/\u001b[2J.toml: a good config file"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own folders, and a project below them."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "home"
    (home / ".config/netproxy").mkdir(parents=True)
    (home / "project/src").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "project/src")
    return home


def test_without_files_the_defaults_are_told(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    assert check(capsys) == (
        0,
        ["a run here: 0 allow, 0 deny; mode full; default ask; on_denial cancel"],
    )


def test_without_names_it_checks_what_a_run_here_would_read(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    config, project = home / ".config/netproxy/config.toml", home / "project/netproxy.toml"
    config.write_text("[profiles.dev.network]\ndefault = 'deny'\nallow = ['a.test']\n")
    project.write_text("[profiles.dev.network]\ndeny = ['a.test:80']\n")
    assert check(capsys) == (
        0,
        [
            f"{config}: a good config file",
            "  profile dev: 1 allow, 0 deny; default deny",
            "a run here: 1 allow, 0 deny; mode full; default deny; on_denial cancel",
            (
                f"warning: {project} is not trusted, so it was not used; "
                f"read it, then: netproxy trust {project.parent}"
            ),
        ],
    )
    assert check(capsys, "--strict")[0] == 1
    (line, run_line) = [json.loads(line) for line in check(capsys, "--json")[1]]
    assert (line["kind"], run_line["kind"], run_line["profile"]) == ("config", "run", "dev")
    trusted = TrustStore(home / ".local/state/netproxy")
    trusted.add(project, sha256(project.read_bytes()).hexdigest())
    assert check(capsys, "--strict")[1][2:] == [
        f"{project}: a good project file",
        "  profile dev: 0 allow, 1 deny",
        "a run here: 1 allow, 1 deny; mode full; default deny; on_denial cancel",
    ]


def test_and_whether_they_go_together(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    config = home / ".config/netproxy/config.toml"
    config.write_text("[profiles.a]\n[profiles.b]\n")
    status, (line,) = check(capsys)
    assert status == 78
    assert line.startswith(f"{config}:1:1 default_profile: is missing")


def test_a_kind_without_a_file_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--as", "config"])
    assert caught.value.code == 64


def test_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--as", "confg", "x"])
    assert caught.value.code == 64
    assert "did you mean config?" in capsys.readouterr().err
