from __future__ import annotations

import json
import os
import stat
import subprocess  # standard output of its own
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli import audit
from tests.support.auditing import program, run, usage_error, write_two_runs
from tests.support.ocsf_excerpt import check

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path / "audit")


def exported(form: str, journal: Path, *options: object) -> list[str]:
    words = program("export", "--format", form, "--audit-dir", journal, *options)
    # A terminal of the C locale: JSON is UTF-8 all the same.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, check=True, env=environment, timeout=20)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_ocsf_on_standard_output(two_runs: Path) -> None:
    found = [json.loads(line) for line in exported("ocsf", two_runs)]
    assert [event["metadata"]["event_code"].rpartition(".")[2] for event in found] == [
        *["policy_decision"] * 3,
        "stopped",
    ]
    assert [problem for event in found for problem in check(event)] == []


def test_otlp_takes_the_options_of_a_query(two_runs: Path) -> None:
    (line,) = exported("otlp", two_runs, "--host", "a.example", "--outcome", "deny")
    (logs,) = json.loads(line)["resourceLogs"]
    (record,) = logs["scopeLogs"][0]["logRecords"]
    assert record["eventName"] == "netproxy.policy_decision"


def test_a_dash_is_standard_output(
    two_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.iterdir())
    assert len(exported("ocsf", two_runs, "--output", "-")) == 4
    assert sorted(tmp_path.iterdir()) == there


def test_a_file_is_new_and_nobody_elses_to_read(
    capsys: Capture, two_runs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    words = ("export", "--format", "ocsf", "--audit-dir", two_runs, "--output", output)
    assert run(capsys, *words) == (0, "", "")
    assert output.read_text().count("\n") == 4
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    status, _, err = run(capsys, *words)
    assert status == 73
    assert err == f"netproxy audit export: can't write {output}: File exists\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["export"], "--format", id="no-format"),
        pytest.param(["export", "--format", "ocfs"], "did you mean ocsf?", id="format"),
        pytest.param(["export", "--format", "ocsf", "--since", "x"], "a time is", id="time"),
    ],
)
def test_bad_usage_is_one_line(capsys: Capture, words: list[str], said: str) -> None:
    assert said in usage_error(capsys, *words)


def test_without_a_journal_nothing_is_made(capsys: Capture, tmp_path: Path) -> None:
    output = tmp_path / "out"
    words = ["export", "--format", "ocsf", "--audit-dir", str(tmp_path / "x"), "--output", output]
    status = audit.main([str(word) for word in words])
    assert status == 66
    assert "no audit journal" in capsys.readouterr().err
    assert not output.exists()
