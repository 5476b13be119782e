"""Whether metrics, spans or logs are set at all; how they are, `telemetry_settings` reads then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.policy.loader import Document
    from otel.telemetry_config import TelemetrySettings

# What of the environment switches something on (`otel.telemetry_config`).
SWITCHES = frozenset(
    (
        "OTEL_METRICS_EXPORTER",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    )
)


def chosen_telemetry(
    document: Document | None, environ: Mapping[str, str], problems: list[str]
) -> TelemetrySettings | None:
    """What the user's file and the environment say; None: nothing, or nothing that can be used."""
    if not (document and document.telemetry) and not SWITCHES & environ.keys():
        return None
    from netproxy.app.telemetry_settings import telemetry_of

    return telemetry_of(document, environ, problems)
