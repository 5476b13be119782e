from __future__ import annotations

import json
import os
import subprocess  # an encoding of its own
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, Journal
from otel.events import (
    ApprovalRequested,
    ApprovalReviewed,
    PolicyDecision,
    RunCancelled,
    SessionStarted,
)
from tests.support.auditing import program, run, usage_error, write_two_runs
from tests.support.decisions import write_events
from tests.support.journals import SteppingClock, decision

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path)


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


@pytest.mark.parametrize(
    "text", ["a.example:443", "https://a.example", "192.0.2.1:80", "[2001:db8::1]:443", "*.x:*"]
)
def test_a_host_with_more_than_a_host_is_not_taken_for_one_without_records(
    capsys: Capture, two_runs: Path, text: str
) -> None:
    err = usage_error(capsys, "query", "--host", text, "--audit-dir", two_runs)
    assert f"'{text}' is more than a host: leave the rest out" in err


@pytest.mark.parametrize("text", ["2001:db8::1", "[2001:db8::1]", "::1", "*.example", "2001:*"])
def test_an_address_of_ipv6_is_a_host(capsys: Capture, two_runs: Path, text: str) -> None:
    assert run(capsys, "query", "--host", text, "--audit-dir", two_runs)[0] == 0


def test_a_sessions_name_finds_all_of_it_though_only_its_start_has_it(
    capsys: Capture, tmp_path: Path
) -> None:
    """Also where the start is before the period that is asked for."""
    journal = Journal.open(tmp_path, clock=SteppingClock())
    for number, name in enumerate(("builds", "others"), 1):
        trail = AuditTrail(journal, {"session.id": f"s-{number}", "execution.id": f"r-{number}"})
        trail.record(SessionStarted(session_name=name))
        trail.record(decision(f"{name}.example"))
    journal.close()
    for since in ("2026-01-02", "2026-01-02T03:04:05.680Z"):
        words = ("--session", "builds", "--outcome", "deny", "--since", since, "--json")
        status, out, err = run(capsys, "query", *words, "--audit-dir", tmp_path)
        (found,) = map(json.loads, out.splitlines())
        assert (status, err, found["server.address"]) == (0, "", "builds.example")
    _, out, _ = run(capsys, "query", "--event", "session.started", "--audit-dir", tmp_path)
    assert "session.name=builds" in out.splitlines()[0]


def test_a_decision_for_people(capsys: Capture, two_runs: Path) -> None:
    _, out, _ = run(capsys, "query", "--run", "r-1", "--audit-dir", two_runs)
    first, _ = out.splitlines()
    assert first.startswith(
        "2026-01-02 03:04:05.679Z  deny     a.example:443               https  not_allowed  "
        "client=127.0.0.1:40312 "
    )
    assert "run=r-1" in first
    assert "\x1b" not in out


def decision_of(connection: str, approval: str) -> PolicyDecision:
    return PolicyDecision(
        connection_id=connection,
        client_address="127.0.0.1:40312",
        server_address="a.example",
        server_port=443,
        protocol="https",
        method="CONNECT",
        scope="domain",
        decision="deny",
        source="reviewer",
        reason="denied_by_reviewer",
        override=False,
        approval_id=approval,
    )


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        pytest.param(["--connection", "c-1"], [3, 4], id="connection-and-what-it-caused"),
        pytest.param(["--approval", "a-1"], [1, 2, 3], id="approval"),
        pytest.param(["--reviewer", "anna"], [2], id="reviewer"),
        pytest.param(["--event", "approval.*"], [1, 2], id="events-of-a-kind"),
        pytest.param(["--approval", "a-2"], [5], id="another"),
    ],
)
def test_ids_join(capsys: Capture, tmp_path: Path, options: list[str], numbers: list[int]) -> None:
    write_events(
        tmp_path,
        ApprovalRequested(
            approval_id="a-1",
            server_address="a.example",
            server_port=443,
            protocol="https",
            expires_at="2026-01-02T03:20:00.000Z",
        ),
        ApprovalReviewed(
            approval_id="a-1", verdict="deny", scope="once", reviewer="anna", channel="terminal"
        ),
        decision_of("c-1", "a-1"),
        RunCancelled(phase="requested", cause="c-1", reason="denied_by_reviewer"),
        decision_of("c-2", "a-2"),
    )
    _, out, _ = run(capsys, "query", *options, "--json", "--audit-dir", tmp_path)
    uids = [json.loads(line)["log.record.uid"] for line in out.splitlines()]
    assert [int(uid.rsplit("-", 1)[1]) for uid in uids] == numbers


def test_csv(capsys: Capture, two_runs: Path) -> None:
    _, out, _ = run(capsys, "query", "--csv", "--outcome", "deny", "--audit-dir", two_runs)
    head, deny, end = out.split("\r\n")
    assert head.startswith("event.timestamp,event.name,network.policy.decision,")
    assert deny.startswith(
        "2026-01-02T03:04:05.679Z,netproxy.policy_decision,deny,not_allowed,baseline_policy,"
        "a.example,443,https,CONNECT,"
    )
    assert end == ""


def test_one_form_at_a_time(capsys: Capture, two_runs: Path) -> None:
    said = usage_error(capsys, "query", "--csv", "--json", "--audit-dir", two_runs)
    assert "not allowed with argument" in said


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
