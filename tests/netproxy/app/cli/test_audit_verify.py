from __future__ import annotations

import json
import os
import shutil
import subprocess  # another user, who may read and nothing else
import sys
from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.audit_verify import verdict_lines
from otel import AuditTrail, Finding, Journal, Kind, State, Verdict
from otel.events import AuditGap
from otel.verdicts import Completeness, Signed
from tests.support.auditing import run, usage_error, write_two_runs
from tests.support.evidence import lines_of, put_lines, signed_journal
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
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"ok     {writer}: 4 records, signed by nobody",
        "       no anchor: whether records were cut off at the end can't be known",
        "integrity: holds",
        "completeness: unknown without --anchor",
    ]


def test_verify_names_the_place(capsys: Capture, two_runs: Path) -> None:
    write_journal(two_runs, 1)
    (writer,) = (path.name for path in two_runs.iterdir())
    path = segment_of(two_runs, writer)
    path.write_bytes(path.read_bytes().replace(b"b.example", b"c.example"))
    status, out, _ = run(capsys, "verify", "--audit-dir", two_runs)
    assert status == 1
    assert f"BROKEN {writer}: 5 records" in out
    assert f"  {path}:2: edited: content and hash differ (seq 2)" in out
    assert "integrity: broken in 1 of 1 chains" in out
    status, out, _ = run(capsys, "verify", "--json", "--audit-dir", two_runs)
    assert status == 1
    result = json.loads(out)
    assert (result["holds"], result["integrity"]) == (False, "broken")
    assert result["completeness"] == "unknown"
    (verdict,) = result["writers"]
    assert verdict["writer"] == writer
    assert verdict["findings"][0] == {
        "kind": "edited",
        "file": str(path),
        "line": 2,
        "seq": 2,
        "message": "content and hash differ",
    }


@pytest.fixture
def anchored(capsys: Capture, tmp_path: Path) -> tuple[Path, Path, str]:
    """A journal, an anchor of it, and its writer."""
    directory, anchor = tmp_path / "audit", tmp_path / "anchor.jsonl"
    writer = signed_journal(directory, 20)
    status, out, err = run(capsys, "anchor", "--audit-dir", directory)
    assert (status, err) == (0, "")
    anchor.write_text(out)
    return directory, anchor, writer


def test_ten_records_cut_off(
    capsys: Capture, anchored: tuple[Path, Path, str], tmp_path: Path
) -> None:
    """Reference section 10, case 9."""
    directory, anchor, writer = anchored
    whole = run(capsys, "verify", "--audit-dir", directory, "--anchor", anchor)
    assert whole[0] == 0
    assert "complete up to 23, as the anchor says; 0 are newer" in whole[1]
    put_lines(directory, writer, lines_of(directory, writer)[:-10])
    shutil.rmtree(directory / "heads")
    assert run(capsys, "verify", "--audit-dir", directory)[0] == 0
    status, out, _ = run(capsys, "verify", "--audit-dir", directory, "--anchor", anchor)
    assert status == 1
    assert f"LACKS  {writer}: 13 records" in out
    assert "truncated: 10 records are missing at the end" in out
    assert out.endswith("integrity: holds\ncompleteness: truncated\n")


def test_what_query_prints_is_an_anchor(
    capsys: Capture, anchored: tuple[Path, Path, str], tmp_path: Path
) -> None:
    directory, _, _ = anchored
    _, out, _ = run(
        capsys, "query", "--json", "--event", "audit.checkpoint", "--audit-dir", directory
    )
    other = tmp_path / "query.jsonl"
    other.write_text(out)
    status, out, _ = run(capsys, "verify", "--audit-dir", directory, "--anchor", other, "--json")
    assert (status, json.loads(out)["completeness"]) == (0, "complete")


def test_only_a_key_that_is_named_counts(
    capsys: Capture, anchored: tuple[Path, Path, str], tmp_path: Path
) -> None:
    from otel import keys

    directory, _, _ = anchored
    (mine,) = (directory / "keys").glob("*.pub")
    assert run(capsys, "verify", "--audit-dir", directory, "--key", mine)[0] == 0
    other = keys.open_key(tmp_path / "other", None).key_id
    theirs = tmp_path / "other" / "keys" / f"{other}.pub"
    status, out, _ = run(capsys, "verify", "--audit-dir", directory, "--key", theirs)
    assert status == 1
    assert "which is not trusted" in out


def test_gaps_that_the_trail_admits_are_told(capsys: Capture, tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(AuditGap(error_type="ENOSPC", lost=3))
    AuditTrail(journal, {}).record(AuditGap(error_type="timeout", lost=4))
    journal.close()
    status, out, _ = run(capsys, "verify", "--audit-dir", tmp_path)
    assert status == 1
    assert "gaps: the trail admits 2, with 7 events lost" in out
    journal = Journal.open(tmp_path)
    AuditTrail(journal, {}).record(AuditGap(error_type="EIO", lost=-1))
    journal.close()
    assert "an unknown number of events" in run(capsys, "verify", "--audit-dir", tmp_path)[1]


def test_a_writer_that_is_gone_is_named(capsys: Capture, anchored: tuple[Path, Path, str]) -> None:
    directory, anchor, writer = anchored
    shutil.rmtree(directory / writer)
    status, out, _ = run(capsys, "verify", "--audit-dir", directory, "--anchor", anchor)
    assert status == 1
    assert f"LACKS  {writer}: 0 records" in out
    assert "missing: the whole chain of 23 records is gone" in out


def test_a_writer_that_is_gone_with_its_head_closed(
    capsys: Capture, anchored: tuple[Path, Path, str]
) -> None:
    directory, _, writer = anchored
    shutil.rmtree(directory / writer)
    head = directory / "heads" / writer
    head.unlink()
    head.mkdir()
    status, out, _ = run(capsys, "verify", "--audit-dir", directory)
    assert status == 1
    assert f"BROKEN {writer}: 0 records" in out
    assert "missing: the whole chain is gone\n" in out
    assert f"  {head}:0: unreadable: " in out


@pytest.mark.usefixtures("no_override")
def test_a_directory_that_can_not_be_listed(
    capsys: Capture, anchored: tuple[Path, Path, str]
) -> None:
    directory, anchor, _ = anchored
    directory.chmod(0o300)
    done = run(capsys, "verify", "--audit-dir", directory, "--anchor", anchor)
    directory.chmod(0o700)
    assert done == (66, "", f"netproxy: no audit journal in {directory}: Permission denied\n")


@pytest.mark.parametrize("option", ["--anchor", "--key"])
def test_a_file_that_is_none_is_bad_usage(
    capsys: Capture, two_runs: Path, tmp_path: Path, option: str
) -> None:
    path = tmp_path / "file"
    assert "No such file" in usage_error(capsys, "verify", "--audit-dir", two_runs, option, path)
    path.write_text("rubbish\n")
    said = usage_error(capsys, "verify", "--audit-dir", two_runs, option, path)
    assert said.startswith(f"netproxy audit verify: {path}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_copy_is_checked_by_another_user_and_nothing_is_written(
    anchored: tuple[Path, Path, str],
) -> None:
    directory, anchor, _ = anchored
    paths = [directory, *directory.rglob("*"), anchor]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in (directory.parent, *directory.parents[1:-1]):
        path.chmod(path.stat().st_mode | 0o055)
    before = {path: path.stat().st_mtime_ns for path in paths}
    # The interpreter may lie where that user can't read: a first run loads all that is needed.
    script = (
        "import os, sys; from netproxy.app.cli import audit; audit.main(sys.argv[1:])\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(audit.main(sys.argv[1:]))"
    )
    words = ["verify", "--audit-dir", str(directory), "--anchor", str(anchor)]
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {
        path: path.stat().st_mtime_ns for path in [directory, *directory.rglob("*"), anchor]
    } == before


def test_a_thousand_findings_are_not_a_thousand_lines() -> None:
    finding = Finding(kind=Kind.GAP, file="f\x1b", line=1, seq=None, message="m")
    verdict = Verdict(
        writer="w-1",
        records=1,
        live=True,
        findings=(finding,) * 1000,
        signed=Signed(checkpoints=0, up_to=0, records_behind=1, keys=()),
        completeness=Completeness(state=State.UNKNOWN, removed=7),
    )
    lines = list(verdict_lines(verdict))
    assert lines[0] == "BROKEN w-1: 1 records, being written now, signed by nobody"
    assert lines[1].endswith("; 7 older ones were removed, on record")
    assert lines[2] == "  f\\u001b:1: gap: m"
    assert lines[-1] == "  and 980 more"
    assert len(lines) == 23
