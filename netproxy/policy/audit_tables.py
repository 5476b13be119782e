"""The `[audit]` part of a user's file, as pydantic sees it, and the sinks of the managed one.

What the values come to is `netproxy.app.sinks` and `netproxy.app.settings`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netproxy.policy.fields import BYTES_LIMIT, YEAR_SECONDS, AuditMode, Strict

_MIB = 1024 * 1024


class SinkTable(Strict):
    """A place that records are exported to, beside the journal."""

    type: Annotated[
        Literal["otlp", "ocsf"],
        Field(description="otlp: an OpenTelemetry collector; ocsf: a file of JSON lines"),
    ]
    endpoint: Annotated[str, Field(description="otlp: the receiver's URL")] | None = None
    protocol: (
        Annotated[Literal["http/protobuf", "grpc"], Field(description="otlp; http if nobody says")]
        | None
    ) = None
    headers_file: (
        Annotated[str, Field(description="otlp: holds name=value lines, absolute or below ~/")]
        | None
    ) = None
    certificate: (
        Annotated[str, Field(description="otlp: a file with the CA to trust, in place of public")]
        | None
    ) = None
    client_certificate: (
        Annotated[str, Field(description="otlp: a file, with client_key")] | None
    ) = None
    client_key: Annotated[str, Field(description="otlp: a file that only you may read")] | None = (
        None
    )
    path: Annotated[str, Field(description="ocsf: the file, absolute or below ~/")] | None = None
    required: Annotated[
        bool, Field(description="true: records stay in the journal until this sink has them")
    ] = True


class Audit(Strict):
    """Where the record of decisions goes."""

    directory: Annotated[str, Field(description="absolute, or below ~/")] | None = None
    mode: AuditMode | None = None
    otlp: Annotated[str, Field(description="the OTLP receiver's URL")] | None = None
    stall_seconds: (
        Annotated[
            float,
            Field(gt=0, le=YEAR_SECONDS, description="a sink that got nothing so long is told"),
        ]
        | None
    ) = None
    max_unexported_bytes: (
        Annotated[
            int,
            Field(
                ge=1024 * 1024,
                le=BYTES_LIMIT,
                description="so much may wait for a required sink before requests are refused",
            ),
        ]
        | None
    ) = None
    sink: list[SinkTable] = Field(
        default_factory=list, description="where records are exported to, side by side"
    )
    key: (
        Annotated[str, Field(description="the Ed25519 key that signs, absolute or below ~/")] | None
    ) = None
    segment_bytes: (
        Annotated[int, Field(ge=_MIB, le=1024 * _MIB, description="a new file at this size")] | None
    ) = None
    segment_seconds: (
        Annotated[
            float,
            Field(ge=60, le=YEAR_SECONDS, description="a new file at this age"),
        ]
        | None
    ) = None
    retain_days: (
        Annotated[
            float, Field(gt=0, le=36600, description="records younger than this are never removed")
        ]
        | None
    ) = None
    max_bytes: (
        Annotated[int, Field(ge=_MIB, description="nothing is removed before there is that much")]
        | None
    ) = None
