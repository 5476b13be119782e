from __future__ import annotations

import json
import os
import signal
import subprocess  # follow and pipes need a process of their own
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from otel import AuditTrail, Journal, Value
from otel.events import GatewayStopped
from tests.support.journals import SteppingClock, decision, segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    type Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: object) -> tuple[int, str, str]:
    status = audit.main([str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def usage_error(capsys: Capture, *words: object) -> str:
    """One line, and 64."""
    try:
        status = audit.main([str(word) for word in words])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 64
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    """Four records at 03:04:05.679 to .682, of two runs in two sessions."""
    journal = Journal.open(tmp_path, clock=SteppingClock())
    first: dict[str, Value] = {"execution.id": "r-1", "session.id": "s-1"}
    second: dict[str, Value] = {
        "execution.id": "r-2",
        "session.id": "s-2",
        "netproxy.session.name": "mine",
    }
    AuditTrail(journal, first).record(decision("a.example"))
    AuditTrail(journal, first).record(decision("b.example", decision="allow"))
    AuditTrail(journal, second).record(decision("a.example", decision="allow"))
    AuditTrail(journal, second).record(GatewayStopped())
    journal.close()
    return tmp_path


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        pytest.param([], [1, 2, 3, 4], id="all"),
        pytest.param(["--run", "r-1"], [1, 2], id="run"),
        pytest.param(["--session", "s-2"], [3, 4], id="session-id"),
        pytest.param(["--session", "mine"], [3, 4], id="session-name"),
        pytest.param(["--host", "a.example"], [1, 3], id="host"),
        pytest.param(["--host", "A.EXAMPLE."], [1, 3], id="host-otherwise-spelled"),
        pytest.param(["--host", "*.example"], [1, 2, 3], id="host-pattern"),
        pytest.param(["--host", "?.example"], [], id="question-mark-is-itself"),
        pytest.param(["--outcome", "allow"], [2, 3], id="outcome"),
        pytest.param(["--reason", "not_allowed"], [1], id="reason"),
        pytest.param(["--event", "gateway.stopped"], [4], id="event"),
        pytest.param(["--event", "netproxy.gateway.stopped"], [4], id="event-in-full"),
        pytest.param(["--since", "2026-01-02T03:04:05.681Z"], [3, 4], id="since"),
        pytest.param(["--until", "2026-01-02T05:04:05.680+02:00"], [1, 2], id="until-offset"),
        pytest.param(["--since", "2026-01-02", "--until", "2026-01-03"], [1, 2, 3, 4], id="days"),
        pytest.param(["--since", "999999999d"], [1, 2, 3, 4], id="ages-ago"),
        pytest.param(["--host", "a.example", "--outcome", "deny"], [1], id="both"),
    ],
)
def test_query(capsys: Capture, two_runs: Path, options: list[str], numbers: list[int]) -> None:
    status, out, err = run(capsys, "query", *options, "--json", "--audit-dir", two_runs)
    uids = [json.loads(line)["log.record.uid"] for line in out.splitlines()]
    assert [int(uid.rsplit("-", 1)[1]) for uid in uids] == numbers
    assert (status, err) == (0, "")


def test_a_decision_for_people(capsys: Capture, two_runs: Path) -> None:
    _, out, _ = run(capsys, "query", "--run", "r-1", "--audit-dir", two_runs)
    first, _ = out.splitlines()
    assert first.startswith(
        "2026-01-02 03:04:05.679Z  deny   a.example:443  https  not_allowed (baseline_policy)"
    )
    assert "run=r-1" in first
    assert "\x1b" not in out


def test_tail_shows_the_last(capsys: Capture, two_runs: Path) -> None:
    _, out, _ = run(capsys, "tail", "-n", 1, "--audit-dir", two_runs)
    assert out == "2026-01-02 03:04:05.682Z  gateway.stopped  run=r-2\n"


def test_the_place_is_taken_from_the_environment(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_journal(tmp_path / "netproxy" / "audit", 1)
    status, out, _ = run(capsys, "tail")
    assert (status, out.count("\n")) == (0, 1)


def test_verify_holds(capsys: Capture, two_runs: Path) -> None:
    status, out, err = run(capsys, "verify", "--audit-dir", two_runs)
    (writer,) = (path.name for path in two_runs.iterdir())
    assert (status, out, err) == (0, f"ok     {writer}: 4 records\n", "")


def test_verify_names_the_place(capsys: Capture, two_runs: Path) -> None:
    write_journal(two_runs, 1)
    (writer,) = (path.name for path in two_runs.iterdir())
    path = segment_of(two_runs, writer)
    path.write_bytes(path.read_bytes().replace(b"b.example", b"c.example"))
    status, out, _ = run(capsys, "verify", "--audit-dir", two_runs)
    assert status == 1
    assert f"BROKEN {writer}: 5 records" in out
    assert f"  {path}:2: edited: content and hash differ (seq 2)" in out
    status, out, _ = run(capsys, "verify", "--json", "--audit-dir", two_runs)
    assert status == 1
    result = json.loads(out)
    assert result["holds"] is False
    (verdict,) = result["writers"]
    assert verdict["writer"] == writer
    assert verdict["findings"][0] == {
        "kind": "edited",
        "file": str(path),
        "line": 2,
        "seq": 2,
        "message": "content and hash differ",
    }


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


class Terminal:
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


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


def program(*words: object) -> list[str]:
    script = "import sys; from netproxy.app.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", script, "audit", *map(str, words)]


def test_follow_shows_what_comes_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    write_journal(tmp_path, 3)
    process = subprocess.Popen(
        program("tail", "-n", 1, "--follow", "--json", "--audit-dir", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    shown = [json.loads(process.stdout.readline())["server.address"]]
    write_journal(tmp_path, 2)
    shown += [json.loads(process.stdout.readline())["server.address"] for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert shown == ["h3.example", "h4.example", "h5.example"]
    assert (process.returncode, errors) == (130, "")


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
    assert process.wait(10) == 141


def test_a_terminal_that_is_not_utf_8(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(decision("bücher.example"))
    journal.close()
    done = subprocess.run(
        program("query", "--audit-dir", tmp_path),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"b\\xfccher.example" in done.stdout
