"""A file's `[telemetry]` and the environment together, with a place for each mistake."""

from __future__ import annotations

import pytest

from netproxy.app.telemetry_settings import telemetry_of
from netproxy.policy.loader import Document, load
from netproxy.policy.origin import Layer
from otel.log_settings import LogFormat, LogLevel

URL = "http://127.0.0.1:4318"


def document(*lines: str) -> Document:
    return load("\n".join(["[telemetry]", *lines]), "config.toml", layer=Layer.USER)


def test_a_file_says_everything() -> None:
    problems: list[str] = []
    found = telemetry_of(
        document(
            f'metrics = "{URL}"', "interval_seconds = 5.0", "sample_ratio = 0.0",
            'span_attributes = { team = "blue" }', 'tracestate = { v = { a = "1" } }',
            'log_format = "json"', 'log_level = "error"',
        ),
        {}, problems,
    )  # fmt: skip
    assert problems == []
    assert found is not None
    assert found.metrics is not None
    assert found.traces is None
    assert (found.interval_seconds, found.sample_ratio) == (5.0, 0.0)
    assert (found.span_attributes, found.tracestate) == ({"team": "blue"}, {"v": {"a": "1"}})
    assert (found.log.format, found.log.level) == (LogFormat.JSON, LogLevel.ERROR)


def test_the_environment_alone_is_enough() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{URL}/v1/traces",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    problems: list[str] = []
    found = telemetry_of(None, environ, problems)
    assert problems == []
    assert found is not None
    assert found.traces is not None
    assert (found.interval_seconds, found.sample_ratio) == (0.5, 1.0)


@pytest.mark.parametrize("text", ["x", "-1", "0", "1e3", "99999999", "²", "60_000"])
def test_an_interval_is_a_number(text: str) -> None:
    problems: list[str] = []
    assert telemetry_of(None, {"OTEL_METRIC_EXPORT_INTERVAL": text}, problems) is None
    (problem,) = problems
    assert "OTEL_METRIC_EXPORT_INTERVAL is not a number of milliseconds" in problem


def test_every_mistake_is_named_with_its_place() -> None:
    said = document('metrics = "x"', 'tracestate = { V = "1" }', 'span_attributes = { "a b" = "" }')
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "y"}
    problems: list[str] = []
    assert telemetry_of(said, environ, problems) is None
    places = sorted(problem.split(": ")[0] for problem in problems)
    assert places == [
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "config.toml:2:1 telemetry.metrics",
        "config.toml:3:1 telemetry.tracestate",
        "config.toml:4:1 telemetry.span_attributes",
    ]
