"""Yesterday's journal under today's policy: what changes, what people said, and the status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from netproxy.app.cli.policy_replay import main
from otel.events import ConnectionOpened
from tests.support.decisions import decided, write_events

if TYPE_CHECKING:
    from pathlib import Path

    from otel.events import Event


@pytest.fixture
def yesterday(tmp_path: Path) -> Path:
    events: list[Event] = [
        decided("stays.example"),
        decided("stays.example"),
        decided("shut.example"),
        decided("shut.example"),
        decided("opened.example", allowed=False),
        decided("asked.example"),
        decided("approved.example", source="reviewer"),
        decided("malformed..example"),
        decided("stray.example", allowed=False, source="proxy_state"),
        ConnectionOpened(
            connection_id="c-1",
            server_address="stays.example",
            server_port=443,
            peer_address="10.0.0.7:443",
        ),
    ]
    return write_events(tmp_path / "audit", *events)


def replay(
    capsys: pytest.CaptureFixture[str], audit: Path, config: str, *words: str
) -> tuple[int, str]:
    path = audit.parent / "config.toml"
    path.write_text(f"[profiles.dev.network]\n{config}\n")
    status = main(["--audit", str(audit), "--config", str(path), "--no-project", *words])
    return status, capsys.readouterr().out


TODAY = 'allow = ["stays.example", "opened.example"]\ndeny = ["shut.example"]\ndefault = "ask"'


def test_for_people(capsys: pytest.CaptureFixture[str], yesterday: Path) -> None:
    status, out = replay(capsys, yesterday, TODAY)
    assert status == 1
    once = "once, 2026-01-02 03:04:05Z"
    by_policy = "allowed by policy (allowed_by_rule)"
    assert out.splitlines() == [
        "new denials: 2",
        f"  https://shut.example:443 CONNECT  2 times, 2026-01-02 03:04:05Z, {by_policy}",
        "      today: deny, shut.example:443 is denied by rule shut.example (config.toml:3)",
        f"  https://stays.example:443 at 10.0.0.7  {once}",
        "      today: stays.example resolves to a private address",
        "new allows: 1",
        f"  https://opened.example:443 CONNECT  {once}, denied by policy (not_allowed)",
        "      today: allow, allowed by opened.example (config.toml:2)",
        "now asked: 1",
        f"  https://asked.example:443 CONNECT  {once}, {by_policy}",
        "      today: ask, no rule matches asked.example:443",
        "asked again, as they were then: 1",
        f"  https://approved.example:443 CONNECT  {once}, allowed by people (allowed_by_rule)",
        "      today: ask, no rule matches approved.example:443",
        "2 records unchanged",
        "passed over: 1 malformed, 1 refused for the gateway's own state",
    ]


def test_for_programs(capsys: pytest.CaptureFixture[str], yesterday: Path) -> None:
    status, out = replay(capsys, yesterday, TODAY, "--json")
    *rows, summary = (json.loads(line) for line in out.splitlines())
    assert status == 1
    assert summary == {
        "kind": "summary",
        "records": {
            "new denial": 3, "new allow": 1, "now asked": 1, "asked again": 1, "unchanged": 2,
        },
        "malformed": 1,
        "undecided": 1,
    }  # fmt: skip
    by_host: dict[str, Any] = {row["host"]: row for row in rows}
    assert by_host["shut.example"] == {
        "kind": "decision",
        "outcome": "new denial",
        "host": "shut.example",
        "port": 443,
        "protocol": "https",
        "method": "CONNECT",
        "count": 2,
        "first": "2026-01-02T03:04:05.681Z",
        "last": "2026-01-02T03:04:05.682Z",
        "then": {"decision": "allow", "by": "policy", "reason": "allowed_by_rule"},
        "today": {
            "verdict": "deny",
            "reason": "denied_by_rule",
            "source": "baseline_policy",
            "rule": "shut.example (config.toml:3)",
            "explanation": "shut.example:443 is denied by rule shut.example (config.toml:3)",
        },
    }
    assert by_host["stays.example"]["kind"] == "address"
    assert by_host["stays.example"]["address"] == "10.0.0.7"


def test_what_changes_nothing_is_0(capsys: pytest.CaptureFixture[str], yesterday: Path) -> None:
    same = 'allow = ["*"]\ndeny = ["opened.example"]\nallow_private = ["10.0.0.0/8"]'
    status, out = replay(capsys, yesterday, same)
    assert (status, out.splitlines()[0]) == (0, "8 records unchanged")


def test_the_span(capsys: pytest.CaptureFixture[str], yesterday: Path) -> None:
    status, out = replay(capsys, yesterday, TODAY, "--since", "2027-01-01")
    assert (status, out) == (0, "0 records unchanged\n")


def test_a_longer_time_has_two_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    twice = [decided("a.example")] * 2
    folder = write_events(tmp_path / "audit", *twice, apart_ns=3_600_000_000_000)
    _, out = replay(capsys, folder, 'default = "deny"')
    assert "2 times, 2026-01-02 04:04:05Z to 2026-01-02 05:04:05Z" in out


def test_without_a_journal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        replay(capsys, tmp_path / "none", "")
    assert left.value.code == 66
