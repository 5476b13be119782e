"""Where each signal goes: which setting wins, and what is refused before anything is loaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.errors import ExportRefused, TelemetryRefused
from otel.sinks import Protocol
from otel.telemetry_config import (
    Collector,
    TelemetrySettings,
    check_span_attributes,
    collector,
)

URL = "http://127.0.0.1:4318"
PREFIX = "OTEL_EXPORTER_OTLP"


def found(signal: str, environ: dict[str, str], **said: str | None) -> Collector | None:
    return collector(signal, environ, in_file=said.get("in_file"), protocol=said.get("protocol"))


def endpoint(signal: str, environ: dict[str, str], **said: str | None) -> str | None:
    one = found(signal, environ, **said)
    return None if one is None else one.endpoint


@pytest.mark.parametrize(
    ("environ", "in_file", "expected"),
    [
        ({}, None, None),
        # It has always been the audit trail's.
        ({f"{PREFIX}_ENDPOINT": URL}, None, None),
        ({f"{PREFIX}_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "otlp"}, None, f"{URL}/v1/traces"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, None, None),
        ({f"{PREFIX}_TRACES_ENDPOINT": f"{URL}/own"}, None, f"{URL}/own"),
        ({f"{PREFIX}_TRACES_ENDPOINT": f"{URL}/own"}, "http://other", f"{URL}/own"),
        ({f"{PREFIX}_METRICS_ENDPOINT": f"{URL}/own"}, None, None),
        ({}, URL, f"{URL}/v1/traces"),
        ({}, f"{URL}/", f"{URL}/v1/traces"),
        ({}, f"{URL}/v1/traces", f"{URL}/v1/traces"),
        ({"OTEL_TRACES_EXPORTER": "none"}, URL, None),
        ({f"{PREFIX}_TRACES_ENDPOINT": " "}, URL, f"{URL}/v1/traces"),
    ],
)
def test_the_environment_comes_before_the_file(
    environ: dict[str, str], in_file: str | None, expected: str | None
) -> None:
    assert endpoint("TRACES", environ, in_file=in_file) == expected


def test_each_signal_has_its_own_path_and_grpc_none() -> None:
    assert endpoint("METRICS", {}, in_file=URL) == f"{URL}/v1/metrics"
    assert endpoint("METRICS", {}, in_file=URL, protocol="grpc") == URL
    one = found("METRICS", {f"{PREFIX}_PROTOCOL": "grpc"}, in_file=URL, protocol="http/protobuf")
    assert one is not None
    assert (one.protocol, one.is_plain) == (Protocol.GRPC, True)


def test_the_signals_own_variables_win() -> None:
    environ = {
        f"{PREFIX}_HEADERS": "a=1", f"{PREFIX}_TRACES_HEADERS": "b=2%2C3",
        f"{PREFIX}_CERTIFICATE": "/general", f"{PREFIX}_METRICS_CERTIFICATE": "/own",
    }  # fmt: skip
    traces = found("TRACES", environ, in_file="https://x")
    metrics = found("METRICS", environ, in_file="https://x")
    assert traces is not None
    assert metrics is not None
    assert (traces.headers, traces.certificate) == ({"b": "2,3"}, "/general")
    assert (metrics.headers, metrics.certificate) == ({"a": "1"}, "/own")
    assert "2,3" not in repr(traces)
    assert not traces.is_plain


@pytest.mark.parametrize(
    ("environ", "in_file", "said"),
    [
        ({f"{PREFIX}_TRACES_ENDPOINT": "x"}, None, f"{PREFIX}_TRACES_ENDPOINT: expected a URL"),
        ({f"{PREFIX}_PROTOCOL": "http/json"}, URL, "'http/json' is not supported"),
        ({f"{PREFIX}_HEADERS": "hush-hush"}, URL, "OTEL_EXPORTER_OTLP_HEADERS: pair 1"),
        ({}, "http://user:pass@x", "must not carry credentials"),
    ],
)
def test_what_can_not_be_used_is_said_without_secrets(
    environ: dict[str, str], in_file: str | None, said: str
) -> None:
    with pytest.raises(ExportRefused) as refused:
        found("TRACES", environ, in_file=in_file)
    assert said in str(refused.value)
    assert "hush" not in str(refused.value)


def test_attributes_for_every_span() -> None:
    check_span_attributes({"deployment.environment.name": "ci", "team": "blüe"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("", "x", "not an attribute's name"),
        ("a b", "x", "not an attribute's name"),
        ("a\n", "x", "not an attribute's name"),
        ("execution.id", "x", "the gateway's own"),
        ("network.policy.decision", "allow", "the gateway's own"),
        ("a", "", "one line of 1 to 256"),
        ("a", "x\ny", "one line of 1 to 256"),
        ("a", "x" * 257, "one line of 1 to 256"),
        ("a", "\u202e", "one line of 1 to 256"),
    ],
)
def test_attributes_that_would_lie_or_break_are_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(TelemetryRefused, match=said):
        check_span_attributes({name: value})


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_configured_is_taken_or_refused_in_a_line(name: str, value: str) -> None:
    said = ""
    try:
        check_span_attributes({name: value})
    except TelemetryRefused as refused:
        said = str(refused)
    assert said.isprintable()


def test_collectors_are_wherever_something_is_sent() -> None:
    one = found("METRICS", {}, in_file=URL)
    assert TelemetrySettings().collectors() == ()
    assert TelemetrySettings(metrics=one).collectors() == (one,)
