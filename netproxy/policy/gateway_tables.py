"""The `[limits]` and `[telemetry]` parts of a user's file, as pydantic sees them.

What the values come to is `netproxy.config` and `netproxy.app.telemetry_settings`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netproxy.policy.fields import BYTES_LIMIT, YEAR_SECONDS, Strict

# A number that is an hour old tells nobody anything.
_INTERVAL_LIMIT_SECONDS = 3600
# Each takes two descriptors, and Linux gives a process a million (fs.nr_open).
_CONNECTIONS_LIMIT = 500_000
# More than any machine can do is no limit.
_RATE_LIMIT = 1_000_000


class Limits(Strict):
    """What one run, or one session of a service, may take: fields of `netproxy.config.Limits`."""

    connections_per_run: (
        Annotated[int, Field(ge=1, le=_CONNECTIONS_LIMIT, description="open at once, of one run")]
        | None
    ) = None
    connections_per_second: (
        Annotated[float, Field(gt=0, le=_RATE_LIMIT, description="new ones of one run")] | None
    ) = None
    connections_total: (
        Annotated[
            int, Field(ge=1, le=_CONNECTIONS_LIMIT, description="open at once, of a whole gateway")
        ]
        | None
    ) = None
    bytes_per_run: (
        Annotated[int, Field(ge=1, le=BYTES_LIMIT, description="both directions together")] | None
    ) = None
    tunnel_bytes: (
        Annotated[
            int, Field(ge=1, le=BYTES_LIMIT, description="both directions of one tunnel together")
        ]
        | None
    ) = None
    idle_seconds: (
        Annotated[
            float, Field(gt=0, le=YEAR_SECONDS, description="a tunnel in which nothing moves")
        ]
        | None
    ) = None
    lifetime_seconds: (
        Annotated[float, Field(gt=0, le=YEAR_SECONDS, description="a tunnel, however busy")] | None
    ) = None


class Telemetry(Strict):
    """What the gateway tells of itself beside the audit trail."""

    metrics: Annotated[str, Field(description="the URL of an OTLP receiver")] | None = None
    traces: Annotated[str, Field(description="the URL of an OTLP receiver")] | None = None
    protocol: Literal["http/protobuf", "grpc"] | None = None
    interval_seconds: (
        Annotated[
            float, Field(ge=1, le=_INTERVAL_LIMIT_SECONDS, description="how often metrics are sent")
        ]
        | None
    ) = None
    sample_ratio: (
        Annotated[
            float, Field(ge=0, le=1, description="how many traces that no caller began are kept")
        ]
        | None
    ) = None
    span_attributes: dict[str, str] = Field(
        default_factory=dict, description="what every span says besides"
    )
    tracestate: dict[str, str | dict[str, str]] = Field(
        default_factory=dict,
        description="members of the W3C tracestate that are put in: a value, or fields of one",
    )
    log_format: (
        Annotated[Literal["console", "json"], Field(description="of the lines on stderr")] | None
    ) = None
    log_level: (
        Annotated[
            Literal["debug", "info", "warning", "error", "critical"],
            Field(description="the least that is said there"),
        ]
        | None
    ) = None
