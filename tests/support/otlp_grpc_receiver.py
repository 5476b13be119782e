"""A collector for tests that speaks OTLP over gRPC, by the service class of opentelemetry-proto.

    with GrpcReceiver() as collector:
        ...                                   # give collector.url to whatever exports

Answers are taken from `script` first: a response, or a refusal. An empty script means success.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A status other than OK. `retry_seconds` becomes a RetryInfo."""

    code: grpc.StatusCode
    retry_seconds: float | None = None
    details: bytes | None = None  # in its place: these bytes


type Reply = ExportLogsServiceResponse | Refusal
TAKEN = ExportLogsServiceResponse()


def partial(rejected: int, message: str) -> ExportLogsServiceResponse:
    """Success, but some records were not kept."""
    success = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    return ExportLogsServiceResponse(partial_success=success)


@dataclass(slots=True)
class Call:
    """One call as it came."""

    request: ExportLogsServiceRequest
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def records(self) -> list[LogRecord]:
        return [
            record
            for resource in self.request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class GrpcReceiver(LogsServiceServicer):
    """The collector. `judge` may answer by content, once the script is used up."""

    def __init__(
        self,
        port: int = 0,
        *,
        judge: Callable[[Call], Reply] | None = None,
        tls: grpc.ServerCredentials | None = None,
    ) -> None:
        self.script: deque[Reply] = deque()
        self.calls: list[Call] = []
        self.records: list[LogRecord] = []
        self._judge = judge or (lambda _: TAKEN)
        self._changed = threading.Condition()
        self._scheme = "http" if tls is None else "https"
        self._server = grpc.server(ThreadPoolExecutor(2))
        add_LogsServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # made by a compiler
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_insecure_port(address)
            if tls is None
            else self._server.add_secure_port(address, tls)
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def wait_for(self, count: int, seconds: float = 20.0) -> list[LogRecord]:
        """At least `count` kept records, or an AssertionError after some seconds."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.records) >= count, seconds)
        assert enough, f"{len(self.records)} of {count} records arrived"
        return list(self.records)

    def Export(  # noqa: N802  # the service's own name
        self, request: ExportLogsServiceRequest, context: Any
    ) -> ExportLogsServiceResponse:
        call = Call(request, dict(context.invocation_metadata()))
        with self._changed:
            reply = self.script.popleft() if self.script else self._judge(call)
            self.calls.append(call)
            if not isinstance(reply, Refusal):
                self.records.extend(call.records)
            self._changed.notify_all()
        if isinstance(reply, Refusal):
            details = _details(reply)
            if details is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(reply.code, "no")
            raise AssertionError("abort raises")  # noqa: TRY004  # no question of types
        return reply


def _details(refusal: Refusal) -> bytes | None:
    if refusal.details is not None or refusal.retry_seconds is None:
        return refusal.details
    whole = int(refusal.retry_seconds)
    delay = Duration(seconds=whole, nanos=int((refusal.retry_seconds - whole) * 1e9))
    packed = Packed()
    packed.Pack(RetryInfo(retry_delay=delay))
    status: bytes = Status(code=14, details=[packed]).SerializeToString()
    return status
