"""How metrics and spans reach a collector: the SDK's exporters, told everything by us.

Nothing of the environment decides where they send. A proxy variable least of all: it may name this
very gateway, and a span for each span that is sent would never end. Imported only where a collector
is configured.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otel.redact import visible
from otel.sinks import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from grpc import ChannelCredentials
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter
    from requests import Session

    from otel.telemetry_config import Collector

# One request and all its retries. Nobody waits for them but the numbers of the next interval.
_REQUEST_SECONDS: Final = 10.0
# Nobody wants more of an answer than its status; the SDK would read it to its end, if it has one.
_ANSWER_BYTES: Final = 64 * 1024
# A collector that is away fails every few seconds: that is said once in this time.
_SAID_EACH_SECONDS: Final = 300.0
# gRPC looks for proxies itself: `http_proxy`, `grpc_proxy`, and a balancer's word from the DNS.
_GRPC_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
)


def metric_exporter(collector: Collector) -> MetricExporter:
    """Make what sends metrics there."""
    if collector.protocol is Protocol.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc

        return grpc.OTLPMetricExporter(**_over_grpc(collector))
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http

    return http.OTLPMetricExporter(**_over_http(collector))


def span_exporter(collector: Collector) -> SpanExporter:
    """Make what sends spans there."""
    if collector.protocol is Protocol.GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        return grpc.OTLPSpanExporter(**_over_grpc(collector))
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

    return http.OTLPSpanExporter(**_over_http(collector))


def _over_grpc(collector: Collector) -> dict[str, Any]:
    """What every exporter over gRPC is told: nothing is left to the environment."""
    return {
        "endpoint": collector.endpoint,
        "insecure": collector.is_plain,
        "credentials": _credentials(collector),
        "headers": _metadata(collector),
        "timeout": _REQUEST_SECONDS,
        "channel_options": _GRPC_OPTIONS,
    }


def _over_http(collector: Collector) -> dict[str, Any]:
    """The same over HTTP."""
    return {
        "endpoint": collector.endpoint,
        "certificate_file": collector.certificate,
        "headers": dict(collector.headers),
        "timeout": _REQUEST_SECONDS,
        "session": _session(),
    }


def _session() -> Session:
    from otel.bounded_session import BoundedSession

    return BoundedSession(seconds=_REQUEST_SECONDS, answer_bytes=_ANSWER_BYTES)


def _credentials(collector: Collector) -> ChannelCredentials | None:
    """For TLS: the collector's CA, or the public ones."""
    if collector.is_plain:
        return None
    import grpc

    if collector.certificate is None:
        return grpc.ssl_channel_credentials()
    return grpc.ssl_channel_credentials(root_certificates=Path(collector.certificate).read_bytes())


def _metadata(collector: Collector) -> tuple[tuple[str, str], ...]:
    """HTTP/2 has lower-case names only."""
    return tuple((name.lower(), value) for name, value in collector.headers.items())


class Complaints(logging.Handler):
    """Hears what the SDK logs, and says the first of it: the rest is the same again."""

    def __init__(
        self, report: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(logging.WARNING)
        self._report = report
        self._clock = clock
        self._quiet_until = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Report one line, and then nothing for some minutes."""
        now = self._clock()
        if now < self._quiet_until:
            return
        self._quiet_until = now + _SAID_EACH_SECONDS
        said = visible(record.getMessage(), limit=200)
        self._report(f"warning: metrics and spans may be lost: {said}")

    def listen(self) -> None:
        """Take the place of the last resort, which prints on the command's terminal."""
        sdk = logging.getLogger("opentelemetry")
        sdk.propagate = False
        sdk.handlers[:] = [self]
