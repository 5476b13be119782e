from __future__ import annotations

import pytest

from netproxy.app.telemetry_switches import SWITCHES, chosen_telemetry
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer


def test_nobody_says_anything() -> None:
    """The general endpoint has always been the audit trail's alone."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert chosen_telemetry(None, environ, []) is None
    silent = load("", "config.toml", layer=Layer.USER)
    assert chosen_telemetry(silent, environ, []) is None


def test_a_file_does() -> None:
    said = load('[telemetry]\nlog_format = "json"', "config.toml", layer=Layer.USER)
    assert chosen_telemetry(said, {}, []) is not None


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_the_environment_does(name: str) -> None:
    environ = {
        name: "otlp" if name.endswith("EXPORTER") else "http://127.0.0.1:4318",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    }
    found = chosen_telemetry(None, environ, [])
    assert found is not None
    (collector,) = found.collectors()
    assert collector.endpoint.startswith("http://127.0.0.1:4318")
