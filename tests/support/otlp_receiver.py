"""A collector for tests: an OTLP/HTTP receiver in a thread, which answers as it is told to.

    with OtlpReceiver() as collector:
        ...                                   # give collector.url to whatever exports
        collector.wait_for(3)                 # log records, in the order of arrival

Answers are taken from `script` first; an empty script means 200 with an empty response.
"""

from __future__ import annotations

import gzip
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self, cast

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `keeps` says whether the records count as received."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    keeps: bool = True


def refuse(status: int, **headers: str) -> Reply:
    """An answer other than success; `Retry_After` means `Retry-After`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, keeps=False)


def partial(rejected: int, message: str) -> Reply:
    """200, but some records were not kept."""
    success = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    response = ExportLogsServiceResponse(partial_success=success)
    return Reply(body=response.SerializeToString())


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    request: ExportLogsServiceRequest
    at_seconds: float

    @property
    def records(self) -> list[LogRecord]:
        return [
            record
            for resource in self.request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class OtlpReceiver:
    """The collector. `judge` may answer by content, once the script is used up."""

    def __init__(
        self,
        port: int = 0,
        judge: Callable[[Arrived], Reply] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script: deque[Reply] = deque()
        self.requests: list[Arrived] = []
        self.records: list[LogRecord] = []
        self._judge = judge or (lambda _: Reply())
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="otlp-receiver", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT or --otlp."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, count: int, seconds: float = 20.0) -> list[LogRecord]:
        """At least `count` kept records, or an AssertionError after some seconds."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.records) >= count, seconds)
        assert enough, f"{len(self.records)} of {count} records arrived"
        return list(self.records)

    def wait_for_requests(self, count: int, seconds: float = 20.0) -> list[Arrived]:
        """At least `count` requests, however they were answered."""
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.requests) >= count, seconds)
        assert enough, f"{len(self.requests)} of {count} requests arrived"
        return list(self.requests)

    def arrived(self, request: Arrived) -> Reply:
        """Decide the answer to one request, and remember both."""
        with self._changed:
            reply = self.script.popleft() if self.script else self._judge(request)
            self.requests.append(request)
            if reply.keeps:
                self.records.extend(request.records)
            self._changed.notify_all()
        return reply


def attributes_of(record: LogRecord) -> dict[str, object]:
    """Attributes as plain values."""
    plain: dict[str, object] = {}
    for pair in record.attributes:
        kind = pair.value.WhichOneof("value")
        assert kind is not None
        value = getattr(pair.value, kind)
        plain[pair.key] = (
            [item.string_value for item in value.values] if kind == "array_value" else value
        )
    return plain


def uids_of(records: list[LogRecord]) -> list[object]:
    """What a collector removes duplicates by."""
    return [attributes_of(record)["log.record.uid"] for record in records]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: OtlpReceiver

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that turned away is no news here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it came


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        arrived = Arrived(
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            request=ExportLogsServiceRequest.FromString(body),
            at_seconds=time.monotonic(),
        )
        reply = cast("_Server", self.server).receiver.arrived(arrived)
        self.send_response(reply.status)
        headers = {"Content-Type": "application/x-protobuf", **reply.headers}
        headers["Content-Length"] = str(len(reply.body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass
