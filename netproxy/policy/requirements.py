"""The shape of the managed file, requirements.toml, and what it says as bounds.

Loads pydantic: imported only where there is such a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from netproxy.model import OnDenial, Sni
from netproxy.policy.audit_tables import SinkTable
from netproxy.policy.bounds import Bounds
from netproxy.policy.fields import (
    AuditMode,
    BundleEntry,
    ModeField,
    PrivateBlock,
    RuleTable,
    ScopeField,
    Strict,
)
from netproxy.policy.layers import Statement
from netproxy.policy.loader import sinks_said
from netproxy.policy.origin import Layer
from netproxy.policy.reading import Reading, table_rules
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.policy.toml_places import Path

_DAY_SECONDS = 86400


class ManagedNetwork(Strict):
    """What nobody may reach or loosen."""

    deny: list[BundleEntry] = Field(
        default_factory=list, description="denied to everybody, before all other rules"
    )
    rules: list[RuleTable] = Field(
        default_factory=list, description="the same as tables, with a reason"
    )
    allow: (
        Annotated[
            list[BundleEntry],
            Field(description="the most that anybody may allow, by rule or by answer"),
        ]
        | None
    ) = None
    allow_private: (
        Annotated[
            list[PrivateBlock],
            Field(description="the private blocks that anybody may open at most"),
        ]
        | None
    ) = None
    mode: ModeField | None = None
    on_denial: Annotated[Literal["cancel"], Field(description="nobody may choose block")] | None = (
        None
    )
    sni: Annotated[Literal["refuse"], Field(description="nobody may choose record")] | None = None
    may_ask: Annotated[bool, Field(description="false: no question is ever asked")] | None = None


class ManagedApprovals(Strict):
    """What an answer may be remembered for."""

    max_scope: (
        Annotated[
            ScopeField,
            Field(description="the widest yes that counts; less than always forbids that"),
        ]
        | None
    ) = None
    max_seconds: (
        Annotated[float, Field(gt=0, le=365 * _DAY_SECONDS, description="the longest, in seconds")]
        | None
    ) = None


class ManagedAudit(Strict):
    """How the record is kept."""

    mode: AuditMode | None = None
    sink: list[SinkTable] = Field(
        default_factory=list, description="where everybody's records are exported to"
    )


class ManagedSandbox(Strict):
    """How commands are fenced."""

    required: Annotated[bool, Field(description="true: --no-sandbox is refused")] | None = None
    unix: (
        Annotated[list[str], Field(description="the unix sockets that a command may be given")]
        | None
    ) = None
    expose: (
        Annotated[bool, Field(description="false: no port of a command is opened to its host")]
        | None
    ) = None


class RequirementsFile(Strict):
    """The administrator's bounds: /etc/netproxy/requirements.toml."""

    network: ManagedNetwork = ManagedNetwork()
    approvals: ManagedApprovals = ManagedApprovals()
    audit: ManagedAudit = ManagedAudit()
    sandbox: ManagedSandbox = ManagedSandbox()


def load_requirements(text: str, name: str) -> Bounds:
    """Validate the managed file. Raises `InvalidSettings` with a line for each problem."""
    reading = Reading(text, name, Layer.MANAGED)
    file = reading.shape(RequirementsFile)
    read = {
        **reading.rules(("network", "deny"), Effect.DENY),
        **reading.rules(("network", "allow"), Effect.ALLOW),
    }
    for index, table in enumerate(file.network.rules if file else ()):
        if table.verdict != "deny":
            path = ("network", "rules", index, "verdict")
            reading.report(path, "must be 'deny', the managed file allows by its ceiling only")
    reading.finish()
    assert file is not None, "a file that does not fit its model has left problems"
    network, approvals = file.network, file.approvals
    tables = [
        rule
        for index, table in enumerate(network.rules)
        for rule in table_rules(table, reading.origin(("network", "rules", index)))
    ]
    said = _Said(reading)
    ceiling = None if network.allow is None else tuple(read.get(("network", "allow"), ()))
    sockets = None if file.sandbox.unix is None else tuple(file.sandbox.unix)
    opened = None if network.allow_private is None else tuple(network.allow_private)
    return Bounds(
        deny=(*read.get(("network", "deny"), ()), *tables),
        allow=said.at(("network", "allow"), ceiling),
        allow_private=said.at(("network", "allow_private"), opened),
        mode=said.as_(Mode, ("network", "mode"), network.mode),
        on_denial=said.as_(OnDenial, ("network", "on_denial"), network.on_denial),
        sni=said.as_(Sni, ("network", "sni"), network.sni),
        may_ask=said.at(("network", "may_ask"), network.may_ask),
        max_scope=said.at(("approvals", "max_scope"), approvals.max_scope),
        max_seconds=said.at(("approvals", "max_seconds"), approvals.max_seconds),
        sinks=sinks_said(reading, file.audit.sink),
        sandbox_required=said.at(("sandbox", "required"), file.sandbox.required),
        sandbox_expose=said.at(("sandbox", "expose"), file.sandbox.expose),
        sandbox_unix=said.at(("sandbox", "unix"), sockets),
        audit_mode=said.at(("audit", "mode"), file.audit.mode),
    )


class _Said:
    """Puts a place beside a value that was given."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def at[Value](self, path: Path, value: Value | None) -> Statement[Value] | None:
        return None if value is None else Statement(value, self._reading.origin(path))

    def as_[Value](
        self, kind: Callable[[str], Value], path: Path, value: str | None
    ) -> Statement[Value] | None:
        return None if value is None else Statement(kind(value), self._reading.origin(path))
