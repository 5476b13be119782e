"""What all verbs of `netproxy audit` do alike."""

from __future__ import annotations

import subprocess  # a pipe needs a process of its own
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from tests.support.auditing import Terminal, program, run, usage_error, write_two_runs
from tests.support.journals import segment_of, write_journal
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path)


def test_the_place_is_taken_from_the_environment(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_journal(tmp_path / "netproxy" / "audit", 1)
    status, out, _ = run(capsys, "tail")
    assert (status, out.count("\n")) == (0, 1)


EVERY_READER = [
    ["tail"],
    ["query"],
    ["stats"],
    ["report", "--output", "-"],
    ["verify"],
    ["anchor"],
    ["prune"],
    ["export", "--format", "ocsf"],
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, and beside it a journal at the default place that holds 3 records."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    write_journal(tmp_path / "state" / "netproxy" / "audit", 3)
    path = tmp_path / "config" / "netproxy" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("words", EVERY_READER, ids=lambda words: words[0])
def test_settings_say_where_it_is(
    capsys: Capture, tmp_path: Path, config: Path, words: list[str]
) -> None:
    """A verdict on a folder that no gateway writes would be worth nothing."""
    chosen = write_two_runs(tmp_path / "chosen")
    there = run(capsys, *words, "--audit-dir", chosen)
    config.write_text(f"[audit]\ndirectory = '{chosen}'\n")
    here = run(capsys, *words)
    if words[0] == "report":  # says when it was made
        assert (here[0], str(chosen) in here[1]) == (0, True)
    else:
        assert here == there


@pytest.mark.parametrize("words", EVERY_READER, ids=lambda words: words[0])
def test_settings_that_can_not_be_used(capsys: Capture, config: Path, words: list[str]) -> None:
    config.write_text("bad = [")
    status, out, err = run(capsys, *words)
    assert (status, out, err.count("\n")) == (78, "", 1)
    assert err.startswith(f"netproxy: {config}:1:")


@pytest.mark.parametrize("words", EVERY_READER, ids=lambda words: words[0])
@pytest.mark.parametrize("home", ["", "relative/x"])
@pytest.mark.usefixtures("homeless")
def test_without_a_home_it_says_so(
    capsys: Capture, words: list[str], home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    told = "netproxy: HOME is not set, and this user has no home folder\n"
    assert run(capsys, *words) == (78, "", told)


def test_no_settings_are_needed_where_the_place_is_given(
    capsys: Capture, config: Path, two_runs: Path
) -> None:
    config.write_text("bad = [")
    assert run(capsys, "verify", "--audit-dir", two_runs)[0] == 0


def test_a_project_is_in_nobodys_way(
    capsys: Capture, tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file can't say where journals are, so whether it can be used is not asked."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "netproxy.toml").write_text("bad = [")
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "tail")
    assert (status, out.count("\n"), err) == (0, 3, "")


@pytest.mark.parametrize("command", ["tail", "query", "verify"])
def test_without_a_journal_one_clear_line(capsys: Capture, tmp_path: Path, command: str) -> None:
    status, out, err = run(capsys, command, "--audit-dir", tmp_path / "none")
    assert (status, out) == (66, "")
    assert err == f"netproxy: no audit journal in {tmp_path / 'none'}: No such file or directory\n"


def test_a_damaged_line_is_told_and_the_rest_is_shown(capsys: Capture, two_runs: Path) -> None:
    (writer,) = (path.name for path in two_runs.iterdir())
    path = segment_of(two_runs, writer)
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    status, out, err = run(capsys, "query", "--audit-dir", two_runs)
    assert (status, out.count("\n")) == (1, 4)
    assert err == f"netproxy: audit: {path} at byte 0: not a JSON record\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["query", "--hots", "x"], "did you mean --host?", id="option"),
        pytest.param(["tail", "--folow"], "did you mean --follow?", id="tail-option"),
        pytest.param(["verfiy"], "did you mean verify?", id="command"),
        pytest.param(["\x1b[2J"], "\\u001b[2J", id="hostile-command"),
        pytest.param(["query", "--outcome", "alow"], "did you mean allow?", id="choice"),
        pytest.param(["query", "--since", "yesterday"], "a time is", id="time"),
        *(
            pytest.param([verb, option, ""], "a time is", id=f"{verb}{option}")
            for verb in ("query", "stats")
            for option in ("--since", "--until")
        ),
        pytest.param(["query", "--event", "policy_decison"], "mean policy_decision?", id="event"),
        pytest.param(["query", "--event", "approval.?eviewed"], "no event", id="only-stars"),
        pytest.param(["tail", "-n", "few"], "not a number of lines", id="number"),
        pytest.param(["tail", "-n", "-1"], "netproxy audit tail:", id="negative"),
    ],
)
def test_bad_usage_is_one_line(capsys: Capture, words: list[str], said: str) -> None:
    assert said in usage_error(capsys, *words)


def test_help(capsys: Capture) -> None:
    assert run(capsys, "--help")[0] == 0
    status, out, err = run(capsys)
    assert (status, out) == (64, "")
    assert "verify" in err


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """As in `netproxy audit query | head -1`."""
    write_journal(tmp_path, 2000)
    process = subprocess.Popen(
        program("query", "--audit-dir", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE_SECONDS) == 141


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        pytest.param({}, True, id="terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="unwanted"),
        pytest.param({"NO_COLOR": ""}, True, id="empty-is-unset"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_colour(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert audit.main(["query", "--audit-dir", str(two_runs)]) == 0
    assert ("\x1b[31mdeny" in terminal.text) == coloured
    assert ("\x1b" in terminal.text) == coloured


def test_json_is_never_coloured(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    audit.main(["query", "--json", "--audit-dir", str(two_runs)])
    assert "\x1b" not in terminal.text
