"""The SDK reads the numbers, keeps hosts out, and a dead collector costs nothing but them."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

from otel import metrics as subject
from otel.metrics import Gauges, Lag, Metrics
from otel.tally import Tally
from otel.telemetry_resource import resource
from tests.support.journals import decision
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricsData

GAUGES = Gauges(
    connections=lambda: 3,
    bytes_free=lambda: 4096,
    lost=lambda: 5,
    stuck_seconds=lambda: 0.5,
    lags=lambda: [Lag("otlp", 7, 1.5)],
    cpu_seconds=lambda: 2.5,
)
HOSTILE = ["h{}.attacker.test", "user-{}", 's-{}" 1\n', "\x1b[2J{}", "\udcff{}"]


class Collector(MetricExporter):
    """Takes what it is given, or takes its time."""

    def __init__(self, *, hangs: bool = False) -> None:
        super().__init__()
        self.taken: list[MetricsData] = []
        self.free = threading.Event()
        self._hangs = hangs

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any
    ) -> MetricExportResult:
        self.taken.append(metrics_data)
        if self._hangs:
            self.free.wait(60)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        pass


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def metrics(tally: Tally) -> Iterator[Metrics]:
    made = Metrics(tally, GAUGES, resource("w-1"))
    yield made
    made.shutdown()


def series(metrics: Metrics) -> dict[str, float]:
    kind, text = metrics.page()
    assert kind.startswith("text/plain; version=0.0.4")
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_every_number_is_on_the_page(tally: Tally, metrics: Metrics) -> None:
    tally.decisions["deny", "baseline_policy", "not_allowed"] = 2
    tally.opened, tally.bytes_sent, tally.bytes_received = 4, 10, 20
    tally.closed["finished"], tally.cancelled["not_allowed"] = 3, 1
    tally.requested, tally.alarms["netproxy.audit.gap"] = 1, 1
    tally.appends.add(3e-5)
    found = series(metrics)
    labels = 'decision="deny",reason="not_allowed",source="baseline_policy"'
    assert {
        f"netproxy_decisions_total{{{labels}}}": 2.0,
        "netproxy_connections_active": 3.0,
        "netproxy_connections_opened_total": 4.0,
        'netproxy_connections_closed_total{reason="finished"}': 3.0,
        'netproxy_bytes_total{direction="sent"}': 10.0,
        'netproxy_bytes_total{direction="received"}': 20.0,
        'netproxy_executions_cancelled_total{reason="not_allowed"}': 1.0,
        "netproxy_approvals_pending": 1.0,
        'netproxy_alarms_total{event="netproxy.audit.gap"}': 1.0,
        "netproxy_journal_lost_total": 5.0,
        "netproxy_journal_stuck_seconds": 0.5,
        "netproxy_journal_sync_seconds_count": 0.0,
        "netproxy_journal_bytes_free_bytes": 4096.0,
        'netproxy_journal_export_lag_seconds{sink="otlp"}': 1.5,
        'netproxy_journal_export_backlog{sink="otlp"}': 7.0,
        "netproxy_relay_cpu_seconds_total": 2.5,
        'netproxy_journal_append_seconds_bucket{le="5e-05"}': 1.0,
        'netproxy_journal_append_seconds_bucket{le="2.5e-05"}': 0.0,
        "netproxy_journal_append_seconds_count": 1.0,
    }.items() <= found.items()


def test_a_histogram_is_there_as_soon_as_it_has_something(tally: Tally, metrics: Metrics) -> None:
    assert not [name for name in series(metrics) if "approval_wait" in name]
    tally.waits["granted"] = type(tally.appends)((1.0, 5.0))
    tally.waits["granted"].add(2.0)
    name = "netproxy_approval_wait_seconds_bucket"
    found = series(metrics)
    assert found[f'{name}{{le="1.0",state="granted"}}'] == 0.0
    assert found[f'{name}{{le="5.0",state="granted"}}'] == 1.0


def test_ten_thousand_hostile_hosts_are_no_new_series(tally: Tally, metrics: Metrics) -> None:
    """The promise of docs/telemetry.md: whoever asks for whatever, the page stays as long."""
    watch = tally.watchers()
    for text in HOSTILE:
        event = decision(text.format(0))
        watch[type(event)](event)
    before = set(series(metrics))
    for number in range(2000):
        for text in HOSTILE:
            event = decision(text.format(number), method=text.format(number))
            watch[type(event)](event)
    assert set(series(metrics)) == before
    assert re.search(r"attacker|user-|s-\d|\\x1b", metrics.page()[1].decode()) is None


def test_a_view_drops_attributes_that_are_in_no_row(
    monkeypatch: pytest.MonkeyPatch, tally: Tally
) -> None:
    """The second fence: even an instrument that was given hosts has one series."""

    def leaky(*_: object) -> object:
        return lambda _options: [
            Observation(1, {"decision": "deny", "server.address": f"h{number}.test"})
            for number in range(500)
        ]

    monkeypatch.setattr(subject, "_callback", leaky)
    metrics = Metrics(tally, GAUGES, resource("w-1"))
    found = {name: value for name, value in series(metrics).items() if "decisions" in name}
    metrics.shutdown()
    assert found == {'netproxy_decisions_total{decision="deny"}': 500.0}
    assert "h1.test" not in metrics.page()[1].decode()


def test_a_collector_is_sent_the_same(tally: Tally) -> None:
    tally.opened = 4
    collector = Collector()
    metrics = Metrics(tally, GAUGES, resource("w-1"), exporter=collector, interval_seconds=3600)
    metrics.shutdown()
    (data,) = collector.taken
    (of_resource,) = data.resource_metrics
    assert of_resource.resource.attributes["service.instance.id"] == "w-1"
    (scope,) = of_resource.scope_metrics
    sent = {metric.name for metric in scope.metrics}
    assert {"netproxy.connections.opened", "netproxy.journal.append"} <= sent


def test_a_collector_that_hangs_keeps_nobody(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a scrape meanwhile nor the end of the gateway."""
    monkeypatch.setattr(subject, "_LAST_MILLISECONDS", 50)
    collector = Collector(hangs=True)
    metrics = Metrics(tally, GAUGES, resource("w-1"), exporter=collector, interval_seconds=0.01)
    try:
        while not collector.taken:
            time.sleep(0.001)
        began = time.monotonic()
        assert series(metrics)["netproxy_connections_active"] == 3.0
        assert time.monotonic() - began < PATIENCE_SECONDS
        metrics.shutdown()
        assert time.monotonic() - began < PATIENCE_SECONDS
    finally:
        collector.free.set()


def test_what_can_not_be_read_is_left_out(tally: Tally) -> None:
    gauges = Gauges(
        connections=lambda: 0, bytes_free=lambda: None, lost=lambda: 0, stuck_seconds=lambda: 0.0,
        lags=tuple,
    )  # fmt: skip
    metrics = Metrics(tally, gauges, resource("w-1"))
    found = series(metrics)
    metrics.shutdown()
    assert not [name for name in found if "bytes_free" in name or "journal_export" in name]
