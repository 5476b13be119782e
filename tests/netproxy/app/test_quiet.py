from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.quiet import Quiet, telemetry_of
from netproxy.app.run_telemetry import RunTelemetry
from otel import AuditTrail, Journal
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
