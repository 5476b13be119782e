"""Where and how audit records are exported, read from settings that OpenTelemetry users know.

Pure: the one reader of the environment passes it in. Settings that could make an exporter drop
something (`OTEL_SDK_DISABLED`, attribute limits, `http_proxy`) have no effect here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel.errors import ExportRefused
from otel.folders import START

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from urllib.parse import SplitResult

    from otel.folders import Position

# The exporter reads its secrets here: an argument list is readable by every user of the machine.
HEADERS_VARIABLE = "NETPROXY_OTLP_HEADERS"

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
_PATH = "/v1/logs"
_PROTOCOL = "http/protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """One collector. `headers` hold its secrets and stay out of every text and message."""

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    certificate: str | None  # a file with the collector's CA; None trusts the public ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipLimits:
    """How the shipper behaves."""

    # What the OpenTelemetry SDKs send at once by default.
    batch_records: int = 512
    # Collectors take 4 MiB of gRPC by default, some HTTP gateways in front of them 1 MiB.
    batch_bytes: int = 1024 * 1024
    # The default of OTEL_EXPORTER_OTLP_TIMEOUT.
    request_seconds: float = 10.0
    # First and longest wait after a failure; each failure doubles it.
    first_retry_seconds: float = 0.25
    longest_retry_seconds: float = 60.0
    # A collector may ask for more patience, but not for the rest of the run.
    longest_wish_seconds: float = 600.0
    # Nobody waits for the exporter after a run, but it must not stay for ever either.
    drain_seconds: float = 5.0
    # How often the journal is looked at: a record is with the collector within a fraction of a
    # second, and an idle run costs ten stat calls a second.
    poll_seconds: float = 0.1
    # An OTLP answer has one number and one sentence.
    answer_bytes: int = 64 * 1024


def otlp_settings(environ: Mapping[str, str], override: str | None) -> OtlpSettings | None:
    """The collector that the environment or `--otlp URL` (the override) names, or None.

    Raises `ExportRefused`, in one line without secrets, for what can't be used as it stands.
    """
    endpoint = _endpoint(environ, override)
    if endpoint is None:
        return None
    _check_protocol(environ)
    return OtlpSettings(
        endpoint=endpoint,
        headers=_headers(_signal(environ, "HEADERS") or ""),
        certificate=_signal(environ, "CERTIFICATE"),
    )


def ship_command(
    settings: OtlpSettings, directory: Path, writer: str, *, start: Position = START
) -> tuple[list[str], dict[str, str]]:
    """Arguments and whole environment of the process that exports one writer's records.

    A collector that never got anything from this writer gets the records from `start` on:
    `Journal.opened_at` leaves out the runs before this one, which may not have been meant for it.
    """
    import json

    # -P: the working directory belongs to the untrusted command, and `python -m` would import
    # our modules from it first.
    command = [sys.executable, "-P", "-m", "otel.ship"]
    command += ["--directory", str(directory.absolute()), "--writer", writer]
    command += ["--endpoint", settings.endpoint, "--start", f"{start.segment}:{start.offset}"]
    if settings.certificate is not None:
        command += ["--certificate", settings.certificate]
    return command, {HEADERS_VARIABLE: json.dumps(dict(settings.headers))}


def _endpoint(environ: Mapping[str, str], override: str | None) -> str | None:
    """OTLP exporter specification: the signal's own endpoint as it is, the general one with a path.

    `--otlp` is the general one, unless it names the path itself.
    """
    if override is not None:
        base = _checked(override, "--otlp")
        return base if base.endswith(_PATH) else base.rstrip("/") + _PATH
    if exact := environ.get(_LOGS_ENDPOINT, "").strip():
        return _checked(exact, _LOGS_ENDPOINT)
    if general := environ.get(_ENDPOINT, "").strip():
        return _checked(general, _ENDPOINT).rstrip("/") + _PATH
    return None


def check_endpoint(url: str) -> str:
    """The URL itself, if a collector can be there. Raises `ExportRefused`."""
    parts = _split(url)
    if parts is None:
        raise ExportRefused("expected a URL such as http://127.0.0.1:4318")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ExportRefused(
            "a collector's URL must not carry credentials or a query; "
            "put secrets into OTEL_EXPORTER_OTLP_HEADERS"
        )
    return url


def _checked(url: str, origin: str) -> str:
    try:
        return check_endpoint(url)
    except ExportRefused as refused:
        raise ExportRefused(f"{origin}: {refused}") from None


def _split(url: str) -> SplitResult | None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that don't close
        return None
    return parts if usable and url.isascii() and url.isprintable() and " " not in url else None


def _check_protocol(environ: Mapping[str, str]) -> None:
    protocol = _signal(environ, "PROTOCOL") or _PROTOCOL
    if protocol != _PROTOCOL:
        raise ExportRefused(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol[:20]!r} is not supported; use {_PROTOCOL}"
        )


def _headers(text: str) -> dict[str, str]:
    """`key=value` pairs as W3C Baggage spells them: commas between, values percent-encoded."""
    from urllib.parse import unquote

    headers = {}
    for number, pair in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        key, separator, value = pair.partition("=")
        key, value = key.strip(), unquote(value.strip())
        if not separator or not _is_token(key) or not (value.isascii() and value.isprintable()):
            raise ExportRefused(
                f"OTEL_EXPORTER_OTLP_HEADERS: pair {number} is not name=value with a value "
                "of printable characters"
            )
        headers[key] = value
    return headers


def _is_token(name: str) -> bool:
    """RFC 9110 section 5.6.2."""
    return (
        bool(name) and name.isascii() and all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name)
    )


def _signal(environ: Mapping[str, str], name: str) -> str | None:
    """Read a setting: the one for logs wins over the general one, and empty means not set."""
    for variable in (f"OTEL_EXPORTER_OTLP_LOGS_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environ.get(variable, "").strip():
            return value
    return None
