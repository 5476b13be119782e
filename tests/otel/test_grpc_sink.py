"""Against a server of the real service class."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs

from otel.answers import Answer, Delivered, TryLater, Unusable
from otel.config import ShipLimits
from otel.grpc_sink import GrpcSink
from otel.sinks import OtlpSettings, Protocol
from tests.support.loops import PATIENCE_SECONDS
from tests.support.otlp_grpc_receiver import TAKEN, GrpcReceiver, Refusal, Reply, partial

LIMITS = ShipLimits()
CODES = grpc.StatusCode
LARGE = ExportLogsServiceRequest(
    resource_logs=[ResourceLogs(schema_url="x" * 100_000)]
).SerializeToString()


def sink_for(
    url: str, headers: dict[str, str] | None = None, *, limits: ShipLimits = LIMITS
) -> GrpcSink:
    settings = OtlpSettings(
        endpoint=url, headers=headers or {}, certificate=None, protocol=Protocol.GRPC
    )
    return GrpcSink(settings, limits)


def later(code: grpc.StatusCode, seconds: float | None = None) -> TryLater:
    return TryLater(why=f"the collector answered {code.name}", after_seconds=seconds)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(TAKEN, Delivered(rejected=0, message=""), id="ok"),
        pytest.param(partial(2, "old"), Delivered(rejected=2, message="old"), id="partial"),
        pytest.param(
            Refusal(code=CODES.INVALID_ARGUMENT),
            Unusable(why="the collector answered INVALID_ARGUMENT"),
            id="unusable",
        ),
        pytest.param(
            Refusal(code=CODES.UNAVAILABLE, retry_seconds=7.5),
            later(CODES.UNAVAILABLE, 7.5),
            id="busy-with-a-time",
        ),
        pytest.param(
            Refusal(code=CODES.RESOURCE_EXHAUSTED, retry_seconds=3),
            later(CODES.RESOURCE_EXHAUSTED, 3.0),
            id="throttled",
        ),
        pytest.param(
            Refusal(code=CODES.RESOURCE_EXHAUSTED), later(CODES.RESOURCE_EXHAUSTED), id="quota"
        ),
        pytest.param(
            Refusal(code=CODES.UNAVAILABLE, details=b"\xff\xff"),
            TryLater(why="can't connect, or the collector is not ready"),
            id="details-that-are-none",
        ),
        pytest.param(
            Refusal(code=CODES.UNAUTHENTICATED), later(CODES.UNAUTHENTICATED), id="no-token"
        ),
        pytest.param(Refusal(code=CODES.INTERNAL), later(CODES.INTERNAL), id="broken"),
    ],
)
def test_answers(reply: Reply, expected: Answer) -> None:
    with GrpcReceiver() as collector:
        collector.script.append(reply)
        assert sink_for(collector.url).send(b"", PATIENCE_SECONDS) == expected


def test_only_a_large_request_can_be_too_large() -> None:
    """The collector's default limit of 4 MiB answers what a quota answers, too."""
    refusal = Refusal(code=CODES.RESOURCE_EXHAUSTED)
    with GrpcReceiver(judge=lambda _: refusal) as collector:
        sink = sink_for(collector.url)
        assert isinstance(sink.send(LARGE, PATIENCE_SECONDS), Unusable)
        assert isinstance(sink.send(b"", PATIENCE_SECONDS), TryLater)


def test_headers_are_metadata() -> None:
    with GrpcReceiver() as collector:
        sink_for(collector.url, {"Authorization": "Bearer x"}).send(b"", PATIENCE_SECONDS)
        assert collector.calls[0].metadata["authorization"] == "Bearer x"


def test_a_header_that_can_not_be_sent_is_an_answer() -> None:
    with GrpcReceiver() as collector:
        answer = sink_for(collector.url, {"bad name": "x"}).send(b"", PATIENCE_SECONDS)
    assert isinstance(answer, TryLater)


def test_a_dead_collector_is_an_answer_and_is_found_again() -> None:
    with GrpcReceiver() as collector:
        port = collector.port
    sink = sink_for(f"http://127.0.0.1:{port}")
    assert isinstance(sink.send(b"", PATIENCE_SECONDS), TryLater)
    until = time.monotonic() + PATIENCE_SECONDS
    with GrpcReceiver(port):
        while isinstance(sink.send(b"", PATIENCE_SECONDS), TryLater):
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_silent_collector_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = sink_for(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert isinstance(sink.send(b"", 0.1), TryLater)


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the gateway itself; gRPC asks http_proxy, https_proxy and grpc_proxy."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, GrpcReceiver() as collector:
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert isinstance(sink_for(collector.url).send(b"", PATIENCE_SECONDS), Delivered)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_an_endless_answer_is_refused() -> None:
    with GrpcReceiver() as collector:
        collector.script.append(partial(1, "x" * 5000))
        answer = sink_for(collector.url, limits=replace(LIMITS, answer_bytes=1000)).send(
            b"", PATIENCE_SECONDS
        )
    assert isinstance(answer, TryLater)


def test_a_certificate_that_nobody_signed_is_refused() -> None:
    with GrpcReceiver() as collector:
        answer = sink_for(f"https://127.0.0.1:{collector.port}").send(b"", PATIENCE_SECONDS)
    assert isinstance(answer, TryLater)
