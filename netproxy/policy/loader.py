"""A user's or a project's file: text to a document, all problems at once, each with its place.

Opens no file and chooses nothing: text, the name it came under and its layer go in. Loads pydantic,
so whoever may have no file to read imports this late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netproxy.config import ChosenLimits
from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.bundles import Bundle
from netproxy.policy.document import File, ProjectFile
from netproxy.policy.layers import LayerPolicy, Statement
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.reading import Reading, table_rules
from netproxy.policy.rules import ANY_PORT, Effect, Rule
from netproxy.policy.spec import Mode
from otel.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

    from netproxy.policy.approval_tables import Approvals
    from netproxy.policy.audit_tables import Audit, SinkTable
    from netproxy.policy.blocks import Block
    from netproxy.policy.document import Network
    from netproxy.policy.gateway_tables import Telemetry
    from netproxy.policy.sandbox_tables import Sandbox
    from netproxy.policy.toml_places import Path
    from netproxy.policy.way_tables import ParentTable

_NETWORK = ("profiles", "*", "network")
_KEEPING = {"segment_bytes", "segment_seconds", "retain_days", "max_bytes"}
_USERS_OWN = frozenset(File.model_fields) - frozenset(ProjectFile.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one file says. None: the file leaves it to somebody else."""

    name: str
    layer: Layer
    default_profile: str | None
    profiles: Mapping[str, LayerPolicy]
    bundles: Mapping[str, Bundle]
    # What trusted projects may allow beyond the user's own rules.
    project_allow: tuple[Rule, ...]
    project_allow_private: tuple[Statement[Block], ...]
    resolver_hosts: Mapping[str, tuple[str, ...]]
    resolve_seconds: float | None
    parents: Mapping[str, ParentTable]
    routes: tuple[tuple[tuple[Rule, ...], str], ...]  # hosts, and the way to them
    approvals: Approvals | None
    audit_directory: str | None = None
    audit_mode: str | None = None
    audit_key: str | None = None
    # Segments and retention, by the names of their settings.
    audit_keeping: Mapping[str, float] = field(default_factory=dict)
    otlp_endpoint: str | None = None
    sinks: tuple[Statement[SinkTable], ...] = ()
    stall_seconds: float | None = None  # of a sink
    max_unexported_bytes: int | None = None
    sandbox: Sandbox | None  # None: it says nothing of it
    limits: ChosenLimits
    telemetry: Telemetry | None
    reading: Reading

    def problem(self, path: Path, what: str) -> str:
        """Word a problem that only its reader can see, in the form that all of them have."""
        return self.reading.problem(path, what)

    def origin(self, path: Path) -> Origin:
        """Say where a key stands; for one that is missing, where its section does."""
        return self.reading.origin(path)


def load(text: str, name: str, *, layer: Layer) -> Document:
    """Validate a whole file. Raises `InvalidSettings` with a line for each problem."""
    reading = Reading(text, name, layer)
    file = reading.shape(File)
    if layer is Layer.PROJECT:
        _refuse_users_own(reading)
    bundles = _bundles(reading)
    rules = {
        **reading.rules((*_NETWORK, "allow"), Effect.ALLOW, bundles),
        **reading.rules((*_NETWORK, "deny"), Effect.DENY, bundles),
        **reading.rules(("projects", "allow"), Effect.ALLOW, bundles),
    }
    reading.finish()
    assert file is not None, "a file that does not fit its model has left problems"
    return _Maker(reading, bundles, rules).document(file)


def sinks_said(reading: Reading, tables: list[SinkTable]) -> tuple[Statement[SinkTable], ...]:
    """Put its place beside each sink of a file."""
    return tuple(
        Statement(table, reading.origin(("audit", "sink", index)))
        for index, table in enumerate(tables)
    )


def _unless_empty[Table: BaseModel](table: Table | None) -> Table | None:
    """A table in which nothing stands says as much as none."""
    return table if table is not None and table.model_fields_set else None


def _refuse_users_own(reading: Reading) -> None:
    for key in _USERS_OWN & reading.top_keys:
        what = "a project may not set this, it belongs into the user's config.toml"
        reading.report((key,), what)


def _bundles(reading: Reading) -> dict[str, Bundle]:
    """Read each entry once, for its problems; what it means is said where the bundle is used."""
    found = {}
    read = reading.rules(("bundles", "*"), Effect.ALLOW)
    for path, rules in read.items():
        name = str(path[-1])
        entries = tuple(Statement(rule.text, replace(rule.origin, bundle=name)) for rule in rules)
        found[name] = Bundle(name=name, entries=entries)
    return found


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes our values of a file that fits its model."""

    reading: Reading
    bundles: Mapping[str, Bundle]
    rules: Mapping[Path, list[Rule]]

    def document(self, file: File) -> Document:
        resolver = file.resolver
        return Document(
            name=self.reading.name,
            layer=self.reading.layer,
            default_profile=file.default_profile,
            profiles={
                name: self._profile(("profiles", name, "network"), profile.network)
                for name, profile in file.profiles.items()
            },
            bundles=self.bundles,
            project_allow=tuple(self.rules.get(("projects", "allow"), ())),
            project_allow_private=self._blocks(
                ("projects", "allow_private"), file.projects.allow_private
            ),
            resolver_hosts={host: tuple(found) for host, found in resolver.hosts.items()}
            if resolver
            else {},
            resolve_seconds=resolver.timeout_seconds if resolver else None,
            parents=file.parents,
            routes=tuple(self._routes(file)),
            approvals=_unless_empty(file.approvals),
            sandbox=_unless_empty(file.sandbox),
            limits=ChosenLimits(**dict(file.limits or ())),
            telemetry=_unless_empty(file.telemetry),
            reading=self.reading,
            **self._audit(file.audit),
        )

    def _audit(self, audit: Audit | None) -> dict[str, Any]:
        """What a file says of it, by the names of a document's fields."""
        if audit is None:
            return {}
        return {
            "audit_directory": audit.directory,
            "audit_mode": audit.mode,
            "audit_key": audit.key,
            "audit_keeping": audit.model_dump(include=_KEEPING, exclude_none=True),
            "otlp_endpoint": audit.otlp,
            "sinks": sinks_said(self.reading, audit.sink),
            "stall_seconds": audit.stall_seconds,
            "max_unexported_bytes": audit.max_unexported_bytes,
        }

    def _routes(self, file: File) -> Iterator[tuple[tuple[Rule, ...], str]]:
        """A route's hosts, as rules for every port, which know where they stand."""
        for index, route in enumerate(file.routes):
            origin = self.reading.origin(("routes", index))
            yield (
                tuple(
                    Rule(
                        effect=Effect.ALLOW,
                        pattern=pattern,
                        protocol=None,
                        ports=(ANY_PORT,),
                        text=pattern.text,
                        origin=origin,
                    )
                    for pattern in route.hosts
                ),
                route.to,
            )

    def _profile(self, path: Path, network: Network) -> LayerPolicy:
        tables = (
            rule
            for index, table in enumerate(network.rules)
            for rule in table_rules(table, self.reading.origin((*path, "rules", index)))
        )
        allow, deny = (self.rules.get((*path, key), ()) for key in ("allow", "deny"))
        return LayerPolicy(
            layer=self.reading.layer,
            rules=(*allow, *deny, *tables),
            allow_private=self._blocks((*path, "allow_private"), network.allow_private),
            mode=self._said((*path, "mode"), network.mode, Mode),
            default=self._said((*path, "default"), network.default, Verdict),
            on_denial=self._said((*path, "on_denial"), network.on_denial, OnDenial),
            sni=self._said((*path, "sni"), network.sni, Sni),
        )

    def _said[Value](
        self, path: Path, given: str | None, kind: Callable[[str], Value]
    ) -> Statement[Value] | None:
        return None if given is None else Statement(kind(given), self.reading.origin(path))

    def _blocks(self, path: Path, blocks: list[Block]) -> tuple[Statement[Block], ...]:
        return tuple(
            Statement(block, self.reading.origin((*path, index)))
            for index, block in enumerate(blocks)
        )
