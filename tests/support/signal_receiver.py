"""A collector for metrics and spans, over HTTP and gRPC, which keeps what it is sent.

with SignalReceiver() as collector:
    ...                                  # give collector.url or collector.grpc_url
    collector.wait_for("netproxy run")   # spans by name, or metrics by theirs
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_rpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_rpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_PATHS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def plain(attributes: Sequence[KeyValue]) -> dict[str, object]:
    """Attributes as plain values."""
    return {
        pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in attributes
    }


class SignalReceiver:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        self.headers: list[dict[str, str]] = []
        self._changed = threading.Condition()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.receiver = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        trace_rpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            _Traces(self), self._grpc
        )
        metrics_rpc.add_MetricsServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            _Metrics(self), self._grpc
        )
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._thread.start()
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._grpc.stop(None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def grpc_url(self) -> str:
        return f"http://127.0.0.1:{self._grpc_port}"

    def wait_for(self, name: str, seconds: float = 20.0) -> None:
        """Until a span or metric of that name is there."""

        def is_there() -> bool:
            return name in self.metrics or any(span.name == name for span in self.spans)

        with self._changed:
            assert self._changed.wait_for(is_there, seconds), f"no {name}"

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def take(self, request: Any, headers: dict[str, str]) -> None:
        """Keep what is in a request of either kind."""
        with self._changed:
            self.headers.append(headers)
            if isinstance(request, ExportTraceServiceRequest):
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        self.spans += scope.spans
            else:
                for resource in request.resource_metrics:
                    for scope in resource.scope_metrics:
                        self.metrics |= {metric.name: metric for metric in scope.metrics}
            self._changed.notify_all()


class _Traces(trace_rpc.TraceServiceServicer):
    def __init__(self, receiver: SignalReceiver) -> None:
        self._receiver = receiver

    def Export(  # noqa: N802 the service's own name
        self, request: Any, context: Any
    ) -> ExportTraceServiceResponse:
        self._receiver.take(request, dict(context.invocation_metadata()))
        return ExportTraceServiceResponse()


class _Metrics(metrics_rpc.MetricsServiceServicer):
    def __init__(self, receiver: SignalReceiver) -> None:
        self._receiver = receiver

    def Export(  # noqa: N802 the service's own name
        self, request: Any, context: Any
    ) -> ExportMetricsServiceResponse:
        self._receiver.take(request, dict(context.invocation_metadata()))
        return ExportMetricsServiceResponse()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: SignalReceiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver = cast("_Server", self.server).receiver
        receiver.take(_PATHS[self.path].FromString(body), headers)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass
