"""What a gateway tells of itself, by the user's `[telemetry]` and the environment's variables.

Imported when either has something to say. The environment comes first: it is how OpenTelemetry is
set up everywhere else. Secrets come from it only, in OTEL_EXPORTER_OTLP_HEADERS, which a sandboxed
command does not inherit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.policy.gateway_tables import Telemetry
from otel.errors import ExportRefused, TelemetryRefused
from otel.log_settings import LogFormat, LogLevel, LogSettings
from otel.telemetry_config import (
    INTERVAL_SECONDS,
    Collector,
    TelemetrySettings,
    check_span_attributes,
    collector,
)
from otel.trace_context import check_upserts
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netproxy.policy.loader import Document

_MILLISECONDS = 1000
_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"


def telemetry_of(
    document: Document | None, environ: Mapping[str, str], problems: list[str]
) -> TelemetrySettings | None:
    """Both together, checked; None, and lines in `problems`, where they can't be used."""
    said = (document and document.telemetry) or Telemetry()
    found: list[str] = []

    def checked[Value](key: str, read: Callable[[], Value]) -> Value | None:
        try:
            return read()
        except (ExportRefused, TelemetryRefused) as refused:
            text = str(refused)
            is_files = document is not None and not text.startswith("OTEL_")
            found.append(
                document.problem(("telemetry", key), text) if document and is_files else text
            )
            return None

    def signal(key: str, in_file: str | None) -> Collector | None:
        def read() -> Collector | None:
            return collector(key.upper(), environ, in_file=in_file, protocol=said.protocol)

        one = checked(key, read)
        if one is None or one.place or document is None:
            return one
        return replace(one, place=document.origin(("telemetry", key)).place)

    metrics, traces = signal("metrics", said.metrics), signal("traces", said.traces)
    interval = checked("interval_seconds", lambda: _interval(environ))
    checked("span_attributes", lambda: check_span_attributes(said.span_attributes))
    checked("tracestate", lambda: check_upserts(said.tracestate))
    problems += found
    if found:
        return None
    return TelemetrySettings(
        metrics=metrics,
        traces=traces,
        interval_seconds=interval or said.interval_seconds or INTERVAL_SECONDS,
        sample_ratio=1.0 if said.sample_ratio is None else said.sample_ratio,
        span_attributes=said.span_attributes,
        tracestate=said.tracestate,
        log=LogSettings(
            format=LogFormat(said.log_format or LogFormat.CONSOLE),
            level=LogLevel(said.log_level or LogLevel.INFO),
        ),
    )


def _interval(environ: Mapping[str, str]) -> float | None:
    """OpenTelemetry's own variable, in milliseconds there."""
    text = environ.get(_INTERVAL, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len("3600000") or int(text) < 1:
        raise TelemetryRefused(f"{_INTERVAL} is not a number of milliseconds up to an hour")
    return int(text) / _MILLISECONDS
