from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.audit_verify import verdict_lines
from otel import Finding, Kind, Verdict
from tests.support.auditing import run, write_two_runs
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path)


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


def test_a_thousand_findings_are_not_a_thousand_lines() -> None:
    finding = Finding(kind=Kind.GAP, file="f\x1b", line=1, seq=None, message="m")
    verdict = Verdict(writer="w-1", records=1, live=True, findings=(finding,) * 1000)
    lines = list(verdict_lines(verdict))
    assert lines[0] == "BROKEN w-1: 1 records, being written now"
    assert lines[1] == "  f\\u001b:1: gap: m"
    assert lines[-1] == "  and 980 more"
    assert len(lines) == 22
