"""Where and how audit records are exported, read from settings that OpenTelemetry users know.

Pure: the one reader of the environment passes it in. Settings that could make an exporter drop
something (`OTEL_SDK_DISABLED`, attribute limits, `http_proxy`) have no effect here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.errors import ExportRefused
from otel.sinks import OtlpSettings, Protocol
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
_ENDPOINTS = (_LOGS_ENDPOINT, _ENDPOINT)
_PATH = "/v1/logs"


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
    # A sink that has taken nothing for so long is reported: a restart of a collector is over then.
    stall_seconds: float = 15 * 60.0
    # How often the status for people and metrics is written, while it changes.
    status_seconds: float = 1.0


def otlp_settings(environ: Mapping[str, str], override: str | None) -> OtlpSettings | None:
    """The collector that the environment or `--otlp URL` (the override) names, or None.

    Raises `ExportRefused`, in one line without secrets, for what can't be used as it stands.
    """
    if override is None and not any(environ.get(name, "").strip() for name in _ENDPOINTS):
        return None
    protocol = _protocol(environ)
    endpoint = _endpoint(environ, override, protocol)
    certificate, key = _signal(environ, "CLIENT_CERTIFICATE"), _signal(environ, "CLIENT_KEY")
    if (certificate is None) != (key is None):
        raise ExportRefused(
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together"
        )
    return OtlpSettings(
        endpoint=endpoint,
        protocol=protocol,
        headers=parse_headers(
            _signal(environ, "HEADERS") or "", origin="OTEL_EXPORTER_OTLP_HEADERS"
        ),
        certificate=_signal(environ, "CERTIFICATE"),
        client_certificate=certificate,
        client_key=key,
    )


def logs_endpoint(url: str, protocol: Protocol) -> str:
    """Where logs go, below the URL of a collector as a whole. Raises `ExportRefused`."""
    base = check_endpoint(url)
    if protocol is Protocol.GRPC or base.endswith(_PATH):
        return base
    return base.rstrip("/") + _PATH


def parse_headers(text: str, *, origin: str) -> dict[str, str]:
    """`key=value` pairs as W3C Baggage spells them: commas between, values percent-encoded.

    Raises `ExportRefused`, which names `origin` and not the text.
    """
    from urllib.parse import unquote

    headers = {}
    for number, pair in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        key, separator, value = pair.partition("=")
        key, value = key.strip(), unquote(value.strip())
        if not separator or not _is_token(key) or not (value.isascii() and value.isprintable()):
            raise ExportRefused(
                f"{origin}: pair {number} is not name=value with a value of printable characters"
            )
        headers[key] = value
    return headers


def _endpoint(environ: Mapping[str, str], override: str | None, protocol: Protocol) -> str:
    """OTLP exporter specification: the signal's own endpoint as it is, the general one with a path.

    `--otlp` is the general one, unless it names the path itself.
    """
    if override is not None:
        return _checked(override, "--otlp", protocol)
    if exact := environ.get(_LOGS_ENDPOINT, "").strip():
        return _checked(exact, _LOGS_ENDPOINT, None)
    base = _checked(environ.get(_ENDPOINT, "").strip().rstrip("/"), _ENDPOINT, None)
    return base if protocol is Protocol.GRPC else base + _PATH


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


def _checked(url: str, origin: str, protocol: Protocol | None) -> str:
    """The endpoint for logs; without a protocol it is the URL itself."""
    try:
        return check_endpoint(url) if protocol is None else logs_endpoint(url, protocol)
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


def _protocol(environ: Mapping[str, str]) -> Protocol:
    said = _signal(environ, "PROTOCOL") or Protocol.HTTP
    if said not in set(Protocol):
        raise ExportRefused(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={said[:20]!r} is not supported; "
            f"use {' or '.join(Protocol)}"
        )
    return Protocol(said)


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
