"""Figures for people, and the same for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, Journal
from otel.events import (
    ApprovalRequested,
    ApprovalResolved,
    ApprovalReviewed,
    AuditGap,
    ClientsTurnedAway,
    ConnectionClosed,
    ConnectionFailed,
    RunExited,
    RunStarted,
)
from tests.support.auditing import run, write_two_runs
from tests.support.decisions import decided, write_events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A little of everything."""
    return write_events(
        tmp_path,
        RunStarted(executable="pip", directory="/", user_id="1000", backend="bubblewrap"),
        *[decided("pypi.org")] * 3,
        decided("tracker.example", allowed=False),
        ApprovalRequested(
            approval_id="a-1",
            server_address="b.example",
            server_port=443,
            protocol="https",
            expires_at="2026-01-02T03:20:00.000Z",
        ),
        ApprovalReviewed(
            approval_id="a-1", verdict="allow", scope="once", reviewer="anna", channel="terminal"
        ),
        ApprovalResolved(approval_id="a-1", state="granted", waiters=1, duration_ms=18_000),
        decided("b.example", source="reviewer"),
        ConnectionClosed(
            connection_id="c-1",
            server_address="pypi.org",
            server_port=443,
            bytes_sent=2000,
            bytes_received=5_000_000,
            duration_ms=7,
            close_reason="finished",
        ),
        ConnectionFailed(
            connection_id="c-2", server_address="pypi.org", server_port=443, error_type="dns_error"
        ),
        ClientsTurnedAway(limit="descriptors", count=9, client_address="unknown"),
        AuditGap(error_type="ENOSPC", lost=7),
        RunExited(exit_code=0, duration_ms=425_000),
        apart_ns=1_000_000_000,
    )


def test_for_people(capsys: Capture, busy: Path) -> None:
    status, out, err = run(capsys, "stats", "--audit-dir", busy)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("14 records of 1 writer, 2026-01-02 03:04:0")
    for line in (
        "decisions  5 requests",
        "  allowed                           4   80 %  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇",
        "  pypi.org:443                                        3        0      2 kB      5 MB",
        "  tracker.example:443                                 1  not_allowed",
        "      status 0 after 7 min 5 s, 1000",
        "approvals  1 question",
        "  waited, median                                   18 s",
        "connections  2 kB sent, 5 MB received",
        "  gaps                                        1, 7 records lost",
    ):
        assert line in lines, line


@pytest.mark.parametrize(
    ("began", "said"),
    [
        pytest.param(True, "      no end on record", id="run"),
        pytest.param(False, "      a service, or begun before", id="service"),
    ],
)
def test_who_has_no_end_on_record(
    capsys: Capture, tmp_path: Path, said: str, *, began: bool
) -> None:
    """A run that was killed is worth a look; a service's session never has an end of its own."""
    start = RunStarted(executable="pip", directory="/", user_id="1000", backend="bubblewrap")
    folder = write_events(tmp_path, *([start] if began else []), decided("pypi.org"))
    _, out, _ = run(capsys, "stats", "--audit-dir", folder)
    assert said in out.splitlines()


def test_for_scripts(capsys: Capture, busy: Path) -> None:
    status, out, _ = run(capsys, "stats", "--json", "--audit-dir", busy)
    assert status == 0
    made = json.loads(out)
    assert made["records"] == 14
    assert made["decisions"]["allowed"] == 4
    assert made["decisions"]["overridden"] == 1
    assert made["destinations"][0] == {
        "host": "pypi.org",
        "port": 443,
        "asked": 3,
        "allowed": 3,
        "denied": 0,
        "bytes_sent": 2000,
        "bytes_received": 5_000_000,
    }
    assert made["runs"][0]["executable"] == "pip"
    assert made["approvals"]["waited_ms"] == {"median": 18_000, "longest": 18_000}
    assert made["trail"]["records_missing"] == 7
    assert made["counts_short_by"] == {"destinations": 0, "denials": 0, "runs": 0}
    assert made["export"] == []


def test_the_longest_lists_are_cut(capsys: Capture, busy: Path) -> None:
    _, out, _ = run(capsys, "stats", "--top", 1, "--json", "--audit-dir", busy)
    assert len(json.loads(out)["destinations"]) == 1


def test_of_a_period(capsys: Capture, tmp_path: Path) -> None:
    write_two_runs(tmp_path)
    since = ("--since", "2026-01-02T03:04:05.681Z", "--audit-dir", tmp_path)
    _, out, _ = run(capsys, "stats", *since, "--json")
    made = json.loads(out)
    assert (made["records"], made["decisions"]["asked"]) == (2, 1)
    _, out, _ = run(capsys, "stats", "--until", "2020-01-01", "--audit-dir", tmp_path)
    assert out == "no records in this period\n"


def test_hostile_names_stay_on_their_line(capsys: Capture, tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    trail = AuditTrail(journal, {"execution.id": "r-\x1b[2J"})
    trail.record(decided("a\x1b[2J\u202e\n" + "x" * 9000, allowed=False))
    journal.close()
    _, out, _ = run(capsys, "stats", "--audit-dir", tmp_path)
    assert all(line.isprintable() and len(line) < 120 for line in out.split("\n"))
