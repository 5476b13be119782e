"""The shapes of the user's file and of a project's, as pydantic sees them.

Imported only when there is a file to read. The fields are `netproxy.policy.fields`, what a file
says in our own values is `netproxy.policy.loader`, which layer wins `netproxy.policy.layers`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf

from netproxy.policy.approval_tables import Approvals
from netproxy.policy.fields import (
    AuditMode,
    BundleEntry,
    BundleName,
    DefaultField,
    Literals,
    ModeField,
    Name,
    Named,
    OnDenialField,
    OneLine,
    PatternField,
    PrivateBlock,
    RuleTable,
    RuleText,
    SinkTable,
    SniField,
    Some,
    Strict,
    reader,
    text,
)
from netproxy.policy.parent_urls import ParentUrl, parse_parent_url
from netproxy.policy.sandbox_tables import Sandbox

# Longer than a minute is no resolver.
_RESOLVE_LIMIT_SECONDS = 60
# A number that is an hour old tells nobody anything.
_INTERVAL_LIMIT_SECONDS = 3600
# Each takes two descriptors, and Linux gives a process a million (fs.nr_open).
_CONNECTIONS_LIMIT = 500_000
_YEAR_SECONDS = 366 * 24 * 3600
# TOML's integers end there.
_BYTES_LIMIT = 2**63 - 1
# More than any machine can do is no limit.
_RATE_LIMIT = 1_000_000


class Network(Strict):
    """What a profile says about the network."""

    # None: it leaves that to a weaker layer.
    mode: ModeField | None = None
    default: DefaultField | None = None
    on_denial: OnDenialField | None = None
    sni: SniField | None = None
    allow: list[RuleText] = Field(default_factory=list)
    deny: list[RuleText] = Field(default_factory=list)
    allow_private: list[PrivateBlock] = Field(default_factory=list)
    rules: list[RuleTable] = Field(default_factory=list)


class Profile(Strict):
    """One named set of rules and what goes with them."""

    network: Network = Network()


class Resolver(Strict):
    """How names become addresses."""

    hosts: Named[Name, Literals] = Field(default_factory=dict)
    timeout_seconds: (
        Annotated[
            float, Field(gt=0, le=_RESOLVE_LIMIT_SECONDS, description="how long a lookup may take")
        ]
        | None
    ) = None


class ParentTable(Strict):
    """A proxy of the operator's, through which connections leave."""

    url: (
        Annotated[
            InstanceOf[ParentUrl],
            BeforeValidator(reader(parse_parent_url)),
            text(
                r"(?:http|socks5h?|socks4a?)://\S+",
                "http, socks5, socks5h, socks4 or socks4a://host:port",
            ),
        ]
        | None
    ) = None
    from_environment: Annotated[
        bool, Field(description="in place of a url: HTTPS_PROXY, ALL_PROXY or http_proxy, NO_PROXY")
    ] = False
    credentials_file: (
        Annotated[str, Field(description="holds user:password, absolute or below ~/")] | None
    ) = None
    resolve: (
        Annotated[
            Literal["here", "there"],
            Field(description="who looks names up; there: where they lead can't be checked"),
        ]
        | None
    ) = None


class RouteTable(Strict):
    """Hosts, and the way to them."""

    hosts: Some[PatternField]
    to: Annotated[OneLine, Field(description="direct, refuse, or a parent's name")]


_MIB = 1024 * 1024
_DAY_SECONDS = 86400


class Audit(Strict):
    """Where the record of decisions goes."""

    directory: Annotated[str, Field(description="absolute, or below ~/")] | None = None
    mode: AuditMode | None = None
    otlp: Annotated[str, Field(description="the OTLP receiver's URL")] | None = None
    stall_seconds: (
        Annotated[
            float,
            Field(gt=0, le=_YEAR_SECONDS, description="a sink that got nothing so long is told"),
        ]
        | None
    ) = None
    max_unexported_bytes: (
        Annotated[
            int,
            Field(
                ge=1024 * 1024,
                le=_BYTES_LIMIT,
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
            Field(ge=60, le=366 * _DAY_SECONDS, description="a new file at this age"),
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
        Annotated[int, Field(ge=1, le=_BYTES_LIMIT, description="both directions together")] | None
    ) = None
    tunnel_bytes: (
        Annotated[
            int, Field(ge=1, le=_BYTES_LIMIT, description="both directions of one tunnel together")
        ]
        | None
    ) = None
    idle_seconds: (
        Annotated[
            float, Field(gt=0, le=_YEAR_SECONDS, description="a tunnel in which nothing moves")
        ]
        | None
    ) = None
    lifetime_seconds: (
        Annotated[float, Field(gt=0, le=_YEAR_SECONDS, description="a tunnel, however busy")] | None
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


class Projects(Strict):
    """What trusted project files may allow beyond the user's own rules."""

    allow: list[RuleText] = Field(default_factory=list)
    allow_private: list[PrivateBlock] = Field(default_factory=list)


class ProjectFile(Strict):
    """A project's settings: netproxy.toml."""

    default_profile: (
        Annotated[str, Field(description="the profile that holds without --profile")] | None
    ) = None
    profiles: dict[OneLine, Profile] = Field(default_factory=dict)
    bundles: dict[BundleName, Annotated[list[BundleEntry], Field(min_length=1)]] = Field(
        default_factory=dict, description="named lists of rules, used as @name"
    )


class File(ProjectFile):
    """A user's settings: config.toml."""

    resolver: Resolver = Resolver()
    parents: dict[BundleName, ParentTable] = Field(
        default_factory=dict, description="proxies through which connections leave"
    )
    routes: list[RouteTable] = Field(
        default_factory=list, description="where connections leave: the first that fits holds"
    )
    approvals: Approvals = Approvals()
    audit: Audit = Audit()
    sandbox: Sandbox = Sandbox()
    limits: Limits = Limits()
    telemetry: Telemetry = Telemetry()
    projects: Projects = Projects()
