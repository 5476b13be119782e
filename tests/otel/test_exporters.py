"""Exporters send where they are told to, through no proxy, and complain once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel.exporters import Complaints, metric_exporter, span_exporter
from otel.sinks import Protocol
from otel.telemetry_config import Collector
from tests.support.signal_receiver import SignalReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def receiver() -> Iterator[SignalReceiver]:
    with SignalReceiver() as running:
        yield running


def to(url: str, protocol: Protocol, certificate: str | None = None) -> Collector:
    return Collector(
        endpoint=url, protocol=protocol, headers={"X-Token": "secret"}, certificate=certificate
    )


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_span_gets_there_whatever_the_environment_says(
    receiver: SignalReceiver, monkeypatch: pytest.MonkeyPatch, protocol: Protocol
) -> None:
    """A proxy variable may name this very gateway: sending would make records to send."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9")
    is_grpc = protocol is Protocol.GRPC
    url = receiver.grpc_url if is_grpc else f"{receiver.url}/v1/traces"
    exporter = span_exporter(to(url, protocol))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("x").start_span(f"by {protocol}").end()
    provider.shutdown()
    assert len(receiver.named(f"by {protocol}")) == 1
    assert receiver.headers[-1]["x-token"] == "secret"


@pytest.mark.parametrize("protocol", list(Protocol))
def test_metrics_get_there_too(receiver: SignalReceiver, protocol: Protocol) -> None:
    is_grpc = protocol is Protocol.GRPC
    url = receiver.grpc_url if is_grpc else f"{receiver.url}/v1/metrics"
    exporter = metric_exporter(to(url, protocol))
    before = len(receiver.headers)
    assert exporter.export(MetricsData(resource_metrics=[])).name == "SUCCESS"
    exporter.shutdown()
    assert len(receiver.headers) == before + 1


def test_tls_is_checked_against_the_given_ca(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    for protocol in Protocol:
        exporter = span_exporter(to("https://127.0.0.1:9/v1/traces", protocol, str(ca)))
        exporter.shutdown()
    exporter = span_exporter(to("https://127.0.0.1:9", Protocol.GRPC))
    exporter.shutdown()


def test_a_dead_collector_is_said_once_in_a_while() -> None:
    said: list[str] = []
    now = [0.0]
    complaints = Complaints(said.append, clock=lambda: now[0])
    sdk = logging.getLogger("opentelemetry")
    before = list(sdk.handlers), sdk.propagate
    try:
        complaints.listen()
        log = logging.getLogger("opentelemetry.exporter.otlp")
        for _ in range(5):
            log.error("Failed to export %s", "\x1b[2Jspans")
        assert said == ["warning: metrics and spans may be lost: Failed to export \\u001b[2Jspans"]
        log.info("not worth a word")
        now[0] = 301.0
        log.warning("again")
        assert len(said) == 2
    finally:
        sdk.handlers[:], sdk.propagate = before
