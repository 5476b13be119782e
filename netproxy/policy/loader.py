"""TOML text to a validated document: all problems at once, each with its place and a suggestion.

Reads no file and knows no layer: text and the name it came under go in. pydantic and the shape
(`netproxy.policy.document`) are loaded only here, so that a run without a file starts fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Protocol, Verdict
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import DEFAULT_PORTS, Effect, Rule
from netproxy.policy.spec import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netproxy.policy import document
    from netproxy.policy.blocks import Block
    from netproxy.policy.toml_places import Path, Places

_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One named set of rules and what goes with them."""

    rules: tuple[Rule, ...]
    mode: Mode
    default: Verdict
    on_denial: OnDenial
    allow_private: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What one file says. None: the file leaves it to somebody else."""

    name: str
    default_profile: str | None
    profiles: Mapping[str, Profile]
    resolver_hosts: Mapping[str, tuple[str, ...]]
    resolve_seconds: float | None
    hold_seconds: float | None
    audit_directory: str | None
    otlp_endpoint: str | None
    write_paths: tuple[str, ...]
    places: Places

    def problem(self, path: Path, what: str) -> str:
        """Word a problem that only its reader can see, in the form that all of them have."""
        from netproxy.policy import problems

        return problems.line(self.name, self.places, path, what)


def load(text: str, name: str) -> Document:
    """Validate a whole file. Raises `InvalidSettings` with a line for each problem."""
    try:
        return _validated(text, _parse(text, name), name)
    except RecursionError:
        raise InvalidSettings((f"{name}:1:1 is nested too deeply",)) from None


def _validated(text: str, raw: dict[str, Any], name: str) -> Document:
    from pydantic import ValidationError

    from netproxy.policy import document, problems
    from netproxy.policy.toml_places import Places

    places = Places(text)
    try:
        file = document.File.model_validate(raw)
    except ValidationError as error:
        raise InvalidSettings(problems.lines(name, places, error)) from None
    return _document(file, name, places)


def _parse(text: str, name: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings((f"{name}:{_syntax_problem(str(error), text)}",)) from None


def _syntax_problem(what: str, text: str) -> str:
    """Move the place to the front."""
    what = f"{what[0].lower()}{what[1:]}"
    if place := _SYNTAX_PLACE.search(what):
        return f"{place[1]}:{place[2]} {what[: place.start()]}"
    *above, last = text.split("\n")
    return f"{len(above) + 1}:{len(last) + 1} {what}"


def _document(file: document.File, name: str, places: Places) -> Document:
    return Document(
        name=name,
        default_profile=file.default_profile,
        profiles={
            key: _profile(profile.network, _Origin(name, places, key))
            for key, profile in file.profiles.items()
        },
        resolver_hosts={host: tuple(found) for host, found in file.resolver.hosts.items()},
        resolve_seconds=file.resolver.timeout_seconds,
        hold_seconds=file.approvals.hold_seconds,
        audit_directory=file.audit.directory,
        otlp_endpoint=file.audit.otlp,
        write_paths=tuple(file.sandbox.write),
        places=places,
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    """Names the lines of one profile's rules."""

    name: str
    places: Places
    profile: str

    def of(self, key: str, index: int) -> Origin:
        """Where the rule stands."""
        place = self.places.find(("profiles", self.profile, "network", key, index))
        return Origin(
            layer=Layer.USER,
            file=self.name,
            line=place.line,
            column=place.column,
            key=f"profiles.{self.profile}.network.{key}[{index}]",
        )


def _profile(network: document.Network, origin: _Origin) -> Profile:
    rules = [replace(rule, origin=origin.of("allow", i)) for i, rule in enumerate(network.allow)]
    rules += [replace(rule, origin=origin.of("deny", i)) for i, rule in enumerate(network.deny)]
    for i, table in enumerate(network.rules):
        rules += _expanded(table, origin.of("rules", i))
    return Profile(
        rules=tuple(rules),
        mode=Mode(network.mode),
        default=Verdict(network.default),
        on_denial=OnDenial(network.on_denial),
        allow_private=tuple(network.allow_private),
    )


def _expanded(table: document.RuleTable, origin: Origin) -> list[Rule]:
    """Write a table as rules of the short form, one for each protocol and port range."""
    effect = Effect(table.verdict)
    every_protocol: list[Protocol] | list[None] = table.protocols or [None]
    port_sets = [(ports,) for ports in table.ports] if table.ports else [DEFAULT_PORTS[effect]]
    rules = [
        Rule(
            effect=effect,
            pattern=table.host,
            protocol=protocol,
            ports=ports,
            on_denial=None if table.on_denial is None else OnDenial(table.on_denial),
            text="",
            origin=origin,
            reason=table.reason,
        )
        for protocol in every_protocol
        for ports in port_sets
    ]
    return [replace(rule, text=str(rule)) for rule in rules]
