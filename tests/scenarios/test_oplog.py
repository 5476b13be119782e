"""What `netproxy serve` says of itself, to people and to machines, and that it mutes nothing."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from bench.ports import free_port
from tests.support.runs import Netproxy
from tests.support.services import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture
def netproxy(me: Person, base: Path) -> Netproxy:
    return Netproxy(me, base)


def asks(address: str) -> None:
    words = ["curl", "-s", "-o", "/dev/null", "-x", f"http://{address}", "http://other.test/"]
    subprocess.run(words, check=True)


def test_machines_read_an_object_a_line(netproxy: Netproxy) -> None:
    options = ("--log-format", "json", "--ask", "never")
    with Service(netproxy, *options) as service:
        asks(re.findall(r"listening on (\S+) ", service.err)[0])
        assert service.stop() == 0
        lines = [json.loads(line) for line in service.err.splitlines()]
    warning, listening = lines
    assert (warning["level"], listening["level"]) == ("warning", "info")
    assert warning["event"].startswith("without --token-file every user")
    (writer,) = (path.name for path in netproxy.audit.glob("w-*"))
    assert listening["service.instance.id"] == writer


def test_a_file_says_it_too_and_the_command_line_wins(netproxy: Netproxy) -> None:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir()
    path.write_text('[telemetry]\nlog_format = "json"\nlog_level = "critical"\n')
    with Service(netproxy, "--log-level", "info") as service:
        assert service.stop() == 0
        assert all(json.loads(line)["level"] != "critical" for line in service.err.splitlines())


def test_no_level_mutes_the_audit_trail(netproxy: Netproxy, base: Path) -> None:
    """Whoever may choose how much is said must not choose what is on record."""
    port = free_port()
    records: list[list[str]] = []
    for level in ("debug", "critical"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(base / level))
            manager.settimeout(20)
            words = ["serve", "--listen", f"127.0.0.1:{port}", "--audit-dir", str(netproxy.audit)]
            with subprocess.Popen(
                netproxy.argv(*words, "--ask", "never", "--log-level", level),
                env=netproxy.environment({"NOTIFY_SOCKET": str(base / level)}),
                cwd=netproxy.workspace, stderr=subprocess.PIPE, text=True,
            ) as service:  # fmt: skip
                assert manager.recv(100) == b"READY=1"
                asks(f"127.0.0.1:{port}")
                service.terminate()
                _, said = service.communicate(timeout=60)
        assert (said == "") == (level == "critical")
        names = [event["event.name"] for event in netproxy.events()]
        records.append(names[sum(map(len, records)) :])
    loud, silent = records
    assert loud == silent
    assert "netproxy.policy_decision" in silent


def test_a_run_says_why_it_was_stopped_to_machines_too(netproxy: Netproxy) -> None:
    path = netproxy.config / "netproxy" / "config.toml"
    path.parent.mkdir()
    path.write_text('[telemetry]\nlog_format = "json"\n')
    command = ["sh", "-c", "echo mine >&2; curl -s http://other.test/; sleep 9"]
    done = netproxy.run("--ask", "never", command=command)
    assert done.status == 77
    own, ours = done.err.splitlines()
    assert own == "mine"
    said = json.loads(ours)
    assert said["event"].startswith("stopped the command: http://other.test:80")
    (started,) = netproxy.events("netproxy.run.started")
    assert said["execution.id"] == started["execution.id"]
