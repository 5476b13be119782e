"""One request to a collector over gRPC.

Takes nothing from the environment, no proxy above all. Which status means what: OTLP section
"OTLP/gRPC". Only the exporter imports this, and only for a sink that wants it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# Its own lines about failed connections would stand beside our one.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel.answers import Answer, TryLater, Unusable
from otel.otlp import delivered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel.config import ShipLimits
    from otel.sinks import OtlpSettings

_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_DETAILS = "grpc-status-details-bin"
_PORTS = {"http": 80, "https": 443}
# gRPC says RESOURCE_EXHAUSTED both to what is too large and to what comes too often. A request
# below the smallest limit that anybody sets can't be too large.
_NEVER_TOO_LARGE = 64 * 1024


class GrpcSink:
    """A collector behind an OTLP/gRPC endpoint."""

    def __init__(self, settings: OtlpSettings, limits: ShipLimits) -> None:
        """Raises OSError for a certificate that can't be read."""
        self._metadata = tuple((name.lower(), text) for name, text in settings.headers.items())
        channel = _channel(settings, limits)
        # Bytes in and out: the request is encoded already, and its answer read by `otlp`.
        self._export = channel.unary_unary(_METHOD, None, None)

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        """Call Export once."""
        try:
            answer = self._export(
                body,
                timeout=timeout_seconds,
                metadata=self._metadata,
                compression=grpc.Compression.Gzip,
            )
        except grpc.RpcError as error:
            return _failed(error, len(body))
        except ValueError as error:  # a header that HTTP/2 can't carry
            return TryLater(why=f"can't be sent: {error}")
        return delivered(answer)


def _channel(settings: OtlpSettings, limits: ShipLimits) -> Any:
    parts = urlsplit(settings.endpoint)
    target = f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
    if ":" in (parts.hostname or ""):
        target = f"[{parts.hostname}]:{parts.port or _PORTS[parts.scheme]}"
    options = (
        ("grpc.enable_http_proxy", 0),  # it may be the gateway itself
        ("grpc.enable_retries", 0),  # the journal is the queue, and `backoff` the patience
        ("grpc.service_config_disable_resolution", 1),  # no behaviour from a DNS record
        ("grpc.max_receive_message_length", limits.answer_bytes),
        # Else a collector that is back is not looked for before two minutes are over.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5000),
    )
    if parts.scheme == "http":
        return grpc.insecure_channel(target, options)
    credentials = grpc.ssl_channel_credentials(
        _content(settings.certificate),
        _content(settings.client_key),
        _content(settings.client_certificate),
    )
    return grpc.secure_channel(target, credentials, options)


def _content(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def _failed(error: Any, size: int) -> Answer:
    code = error.code()
    after = _retry_seconds(error.trailing_metadata() or ())
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Unusable(why=_answered(code))
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and after is None and size > _NEVER_TOO_LARGE:
        return Unusable(why=_answered(code))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TryLater(why="no answer in time")
    if code is grpc.StatusCode.UNAVAILABLE and after is None:
        return TryLater(why="can't connect, or the collector is not ready")
    # Whatever else it says, the records are not there: a missing token (UNAUTHENTICATED) or a wrong
    # address (UNIMPLEMENTED) may be mended while the journal waits.
    return TryLater(why=_answered(code), after_seconds=after)


def _answered(code: grpc.StatusCode) -> str:
    return f"the collector answered {code.name}"


def _retry_seconds(metadata: Iterable[tuple[str, str | bytes]]) -> float | None:
    """The collector's wish, in a RetryInfo; None when there is none that can be read."""
    for key, value in metadata:
        if key != _DETAILS or not isinstance(value, bytes):
            continue
        try:
            details = Status.FromString(value).details
            for each in details:
                info = RetryInfo()
                if each.Unpack(info):
                    delay = info.retry_delay
                    return max(0.0, float(delay.seconds) + float(delay.nanos) / 1e9)
        except DecodeError:
            return None
    return None
