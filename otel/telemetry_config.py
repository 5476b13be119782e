"""Where metrics and spans go, and what is put on them: settings, checked. Pure.

A collector is named for each signal, in a settings file or by the variables of the OpenTelemetry
specification. The general OTEL_EXPORTER_OTLP_ENDPOINT alone switches neither on: it has always been
the audit trail's, and metrics and spans load a library that audit records don't need.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from otel import attributes
from otel.config import check_endpoint, parse_headers
from otel.errors import ExportRefused, TelemetryRefused
from otel.log_settings import LogSettings
from otel.sinks import Protocol
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel.trace_context import Upsert

# The default of OTEL_METRIC_EXPORT_INTERVAL.
INTERVAL_SECONDS: Final = 60.0
_GENERAL: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_SIGNALS: Final = {"METRICS": "metrics", "TRACES": "traces"}
# A name as semantic conventions spell it, and a value that fits on a line.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_VALUE_LENGTH: Final = 256
_OURS: Final = frozenset(
    name for name in vars(attributes).values() if isinstance(name, str) and "." in name
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where one signal goes. `headers` hold secrets and stay out of every text and message."""

    endpoint: str  # over HTTP with its path
    protocol: Protocol
    headers: Mapping[str, str] = field(repr=False)
    certificate: str | None  # a file with the collector's CA; None trusts the public ones
    place: str = field(default="", compare=False)  # the variable that names it; empty: a file does

    @property
    def is_plain(self) -> bool:
        """Whether it is spoken to without TLS."""
        return self.endpoint.startswith("http://")


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """What a gateway tells of itself beside the audit trail. As made: nothing."""

    metrics: Collector | None = None
    traces: Collector | None = None
    interval_seconds: float = INTERVAL_SECONDS
    sample_ratio: float = 1.0  # of traces that no caller began
    span_attributes: Mapping[str, str] = field(default_factory=dict)
    tracestate: Mapping[str, Upsert] = field(default_factory=dict)
    log: LogSettings = field(default_factory=LogSettings)

    def collectors(self) -> tuple[Collector, ...]:
        """Wherever something is sent."""
        return tuple(each for each in (self.metrics, self.traces) if each is not None)


def collector(
    signal: str, environ: Mapping[str, str], *, in_file: str | None, protocol: str | None
) -> Collector | None:
    """The collector of METRICS or TRACES: the environment's before the file's. None: off.

    Raises `ExportRefused`, in one line without secrets, for what can't be used as it stands.
    """
    spoken = _protocol(signal, environ, protocol)
    found = _endpoint(signal, environ, in_file, spoken)
    if found is None:
        return None
    endpoint, place = found
    headers = _said(environ, signal, "HEADERS") or ""
    return Collector(
        endpoint=endpoint,
        protocol=spoken,
        headers=parse_headers(headers, origin="OTEL_EXPORTER_OTLP_HEADERS"),
        certificate=_said(environ, signal, "CERTIFICATE"),
        place=place,
    )


def check_span_attributes(given: Mapping[str, str]) -> None:
    """Raise `TelemetryRefused`, in one line, for what should not be on every span."""
    for name, value in given.items():
        if not _NAME.fullmatch(name):
            raise TelemetryRefused(
                f"{name[:40]!r} is not an attribute's name: letters, digits and . _ -"
            )
        if name in _OURS:
            raise TelemetryRefused(f"{name} is the gateway's own to say")
        if not value.isprintable() or not 0 < len(value) <= _VALUE_LENGTH:
            raise TelemetryRefused(
                f"{name}: a value is one line of 1 to {_VALUE_LENGTH} characters"
            )


def _endpoint(
    signal: str, environ: Mapping[str, str], in_file: str | None, protocol: Protocol
) -> tuple[str, str] | None:
    """The URL, and the variable that it comes from."""
    path = "" if protocol is Protocol.GRPC else f"/v1/{_SIGNALS[signal]}"
    chosen = environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if chosen == "none":
        return None
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    if exact := environ.get(own, "").strip():
        return _checked(exact, own), own
    general = environ.get(_GENERAL, "").strip()
    if chosen == "otlp" and general:
        return _checked(general, _GENERAL).rstrip("/") + path, _GENERAL
    if in_file is None:
        return None
    base = check_endpoint(in_file)
    return (base if path and base.endswith(path) else base.rstrip("/") + path), ""


def _checked(url: str, origin: str) -> str:
    try:
        return check_endpoint(url)
    except ExportRefused as refused:
        raise ExportRefused(f"{origin}: {refused}") from None


def _protocol(signal: str, environ: Mapping[str, str], in_file: str | None) -> Protocol:
    said = _said(environ, signal, "PROTOCOL") or in_file or Protocol.HTTP
    if said not in set(Protocol):
        raise ExportRefused(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={said[:20]!r} is not supported; "
            f"use {' or '.join(Protocol)}"
        )
    return Protocol(said)


def _said(environ: Mapping[str, str], signal: str, name: str) -> str | None:
    """Read a setting: the signal's own wins over the general one, and empty means not set."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environ.get(variable, "").strip():
            return value
    return None
