from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netproxy.app.quiet import Quiet, RunLog, telemetry_of
from netproxy.app.run_telemetry import RunTelemetry
from otel import AuditTrail, Journal
from otel.log_settings import LogFormat, LogSettings
from otel.telemetry_config import TelemetrySettings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_is_quiet_unless_settings_ask_for_something(tmp_path: Path) -> None:
    quiet = telemetry_of(None, {"TRACEPARENT": "x"})
    assert type(quiet) is Quiet
    assert (quiet.ids, quiet.environment, quiet.kind_of(Journal)) == ({}, {}, Journal)
    journal = Journal.open(tmp_path)
    quiet.watch(AuditTrail(journal, {}), journal, tmp_path)
    quiet.open(lambda: 0, print)
    quiet.close({})
    journal.close()
    assert type(telemetry_of(TelemetrySettings(), {})) is RunTelemetry


def test_a_run_says_its_lines_as_ever_or_as_settings_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for settings in (None, TelemetrySettings()):
        lines: list[str] = []
        log = RunLog(settings, lines.append)
        log("a line")
        log.failed("the last one")
        assert lines == ["a line", "the last one"]
    machine = TelemetrySettings(log=LogSettings(format=LogFormat.JSON))
    log = RunLog(machine, lambda _: pytest.fail("for people"))
    log.ids = {"execution.id": "r-1"}
    log("warning: x")
    log.failed("y")
    first, last = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["level"], first["event"], first["execution.id"]) == ("warning", "x", "r-1")
    assert (last["level"], last["logger"]) == ("critical", "netproxy.run")
