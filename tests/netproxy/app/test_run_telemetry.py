"""What a traced run knows before any library is loaded. With a collector: `test_telemetry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.run_telemetry import RunTelemetry
from otel import AuditTrail, Journal
from otel.sinks import Protocol
from otel.telemetry_config import Collector, TelemetrySettings

if TYPE_CHECKING:
    from pathlib import Path

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOWHERE = Collector(
    endpoint="http://127.0.0.1:9", protocol=Protocol.HTTP, headers={}, certificate=None
)


def test_nothing_asked_for_is_nothing_told(tmp_path: Path) -> None:
    """Settings for logs alone, for instance."""
    told = RunTelemetry(TelemetrySettings(), {"TRACEPARENT": f"00-{TRACE}-{CALLER}-01"})
    assert (told.ids, told.environment, told.kind_of(Journal)) == ({}, {}, Journal)
    journal = Journal.open(tmp_path)
    told.watch(AuditTrail(journal, {}), journal, tmp_path)
    told.close({})
    journal.close()


def test_ids_are_known_at_once() -> None:
    settings = TelemetrySettings(traces=NOWHERE)
    told = RunTelemetry(settings, {"TRACEPARENT": f"00-{TRACE}-{CALLER}-00"})
    assert told.ids["trace_id"] == TRACE
    assert told.ids["span_id"] != CALLER
    assert told.environment == {"TRACEPARENT": f"00-{TRACE}-{told.ids['span_id']}-00"}
    alone = RunTelemetry(settings, {})
    assert alone.ids["trace_id"] != RunTelemetry(settings, {}).ids["trace_id"]


def test_a_run_that_is_not_sampled_sends_nothing(tmp_path: Path) -> None:
    told = RunTelemetry(TelemetrySettings(traces=NOWHERE, sample_ratio=0.0), {})
    journal = Journal.open(tmp_path)
    told.watch(AuditTrail(journal, {}), journal, tmp_path)
    told.open(lambda: 0, print)
    assert told._tracing is None
    told.close({})
    journal.close()


def test_a_gateway_has_a_trail() -> None:
    with pytest.raises(AssertionError, match="without a trail"):
        RunTelemetry(TelemetrySettings(), {}).open(lambda: 0, print)
