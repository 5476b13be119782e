"""The shapes of the user's file and of a project's, as pydantic sees them.

Imported only when there is a file to read. The fields are `netproxy.policy.fields`, what a file
says in our own values is `netproxy.policy.loader`, which layer wins `netproxy.policy.layers`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from netproxy.policy.fields import (
    BundleEntry,
    BundleName,
    DefaultField,
    ModeField,
    OnDenialField,
    OneLine,
    PrivateBlock,
    RuleTable,
    RuleText,
    SniField,
    Strict,
)
from netproxy.policy.later import Later

if TYPE_CHECKING:
    from netproxy.policy.approval_tables import Approvals
    from netproxy.policy.audit_tables import Audit
    from netproxy.policy.gateway_tables import Limits, Telemetry
    from netproxy.policy.sandbox_tables import Sandbox
    from netproxy.policy.way_tables import ParentTable, Resolver, RouteTable
else:  # pydantic evaluates what stands in the fields

    def _later(module: str, name: str) -> object:
        return Annotated[Any, Later(lambda: getattr(import_module(module), name))]

    Approvals = _later("netproxy.policy.approval_tables", "Approvals")
    Audit = _later("netproxy.policy.audit_tables", "Audit")
    Limits = _later("netproxy.policy.gateway_tables", "Limits")
    ParentTable = _later("netproxy.policy.way_tables", "ParentTable")
    Resolver = _later("netproxy.policy.way_tables", "Resolver")
    RouteTable = _later("netproxy.policy.way_tables", "RouteTable")
    Sandbox = _later("netproxy.policy.sandbox_tables", "Sandbox")
    Telemetry = _later("netproxy.policy.gateway_tables", "Telemetry")


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

    resolver: Resolver | None = None
    parents: dict[BundleName, ParentTable] = Field(
        default_factory=dict, description="proxies through which connections leave"
    )
    routes: list[RouteTable] = Field(
        default_factory=list, description="where connections leave: the first that fits holds"
    )
    approvals: Approvals | None = None
    audit: Audit | None = None
    sandbox: Sandbox | None = None
    limits: Limits | None = None
    telemetry: Telemetry | None = None
    projects: Projects = Projects()
