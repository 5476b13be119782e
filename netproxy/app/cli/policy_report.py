"""What one settings file says, in lines for people and in fields for programs. Opens no file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netproxy.app.layer_files import own_profile
from netproxy.policy.cases import load_cases
from netproxy.policy.layers import merged
from netproxy.policy.lint import lint
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.requirements import load_requirements
from netproxy.policy.rules import Effect
from otel.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netproxy.app.settings import Settings
    from netproxy.policy.bounds import Bounds
    from netproxy.policy.layers import LayerPolicy
    from netproxy.policy.loader import Document
    from netproxy.policy.rules import Rule
    from netproxy.policy.spec import PolicySpec
    from netproxy.policy.way_tables import ParentTable

KINDS = ("config", "project", "requirements", "cases")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that can be said of one file. Nothing but problems, if there is one."""

    file: str
    kind: str
    problems: tuple[str, ...] = ()
    says: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Give it to a program."""
        return {
            "file": self.file,
            "kind": self.kind,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            **self.says,
        }

    def lines(self) -> Iterator[str]:
        """Write it for people."""
        if self.problems:
            yield from self.problems
            return
        if self.kind == "run":
            yield f"a run here: {_policy_line(self.says)}"
        else:
            yield f"{self.file}: a good {self.kind} file"
        for profile in self.says.get("profiles", ()):
            yield f"  {_profile_line(profile)}"
        for name, rules in self.says.get("bundles", {}).items():
            yield f"  @{name} = {', '.join(rules)}"
        for name, way in self.says.get("parents", {}).items():
            yield f"  parent {name}: {way}"
        for route in self.says.get("routes", ()):
            yield f"  route {', '.join(route['hosts'])}: {route['to']}"
        if projects := self.says.get("projects"):
            yield f"  projects may add {', '.join(projects)}"
        for key, value in self.says.get("bounds", {}).items():
            yield f"  {key} = {json.dumps(value)}"
        if "cases" in self.says:
            yield f"  {_counted(self.says['cases'], 'case')}"
        yield from self.warnings


def report(text: str, name: str, kind: str, *, now: float) -> Report:
    """Read a file of a kind. Raises `InvalidSettings`. `now`: seconds since the epoch."""
    if kind == "cases":
        return Report(file=name, kind=kind, says={"cases": len(load_cases(text, name).cases)})
    if kind == "requirements":
        bounds = load_requirements(text, name)
        warnings = _warnings([merged([], first=bounds.deny)], now)
        return Report(file=name, kind=kind, says={"bounds": _bounds(bounds)}, warnings=warnings)
    document = load(text, name, layer=Layer.PROJECT if kind == "project" else Layer.USER)
    own_profile(None, document)  # which a run without --profile would choose
    warnings = _warnings((merged([profile]) for profile in document.profiles.values()), now)
    return Report(file=name, kind=kind, says=_said(document), warnings=warnings)


def report_of_run(settings: Settings, *, now: float) -> Report:
    """Say what all layers come to."""
    spec = settings.spec
    says = {
        "profile": settings.profile,
        **_counts(spec.rules),
        "mode": spec.mode.value,
        "default": spec.default.value,
        "on_denial": spec.on_denial.value,
        "sni": spec.sni.value,
        "allow_private": [str(block) for block in spec.allow_private.blocks],
    }
    warnings = (*(f"warning: {each}" for each in settings.warnings), *_warnings([spec], now))
    return Report(file="", kind="run", says=says, warnings=warnings)


def _warnings(specs: Iterable[PolicySpec], now: float) -> tuple[str, ...]:
    """Say each once: profiles may share a bundle."""
    found = (finding for spec in specs for finding in lint(spec, now=now))
    lines = (f"{each.origin.place}: warning: {each.message}" for each in found)
    return tuple(dict.fromkeys(lines))


def _said(document: Document) -> dict[str, Any]:
    return {
        "default_profile": document.default_profile,
        "profiles": [
            _profile(name, policy, is_default=name == document.default_profile)
            for name, policy in document.profiles.items()
        ],
        "bundles": {
            name: [entry.value for entry in bundle.entries]
            for name, bundle in document.bundles.items()
        },
        "parents": {name: _parent(table) for name, table in document.parents.items()},
        "routes": [
            {"hosts": [rule.text for rule in hosts], "to": to} for hosts, to in document.routes
        ],
        "projects": [
            *(rule.text for rule in document.project_allow),
            *(str(block.value) for block in document.project_allow_private),
        ],
    }


def _parent(table: ParentTable) -> str:
    """What it is told by and looked up with; the credentials are nobody's to read here."""
    url = table.url
    where = "from the environment"
    if url is not None:
        host = f"[{url.host}]" if ":" in url.host else url.host
        where = f"{url.kind}://{host}:{url.port}"
    looks_up = table.resolve == "there" or (table.resolve is None and url and url.says_there)
    return f"{where}, looks names up" if looks_up else where


def _bounds(bounds: Bounds) -> dict[str, Any]:
    """Give only those that there are, each by its key in the file."""
    given = {
        "deny": [rule.text for rule in bounds.deny] or None,
        "allow": bounds.allow and [rule.text for rule in bounds.allow.value],
        "allow_private": bounds.allow_private
        and [str(each) for each in bounds.allow_private.value],
        "mode": bounds.mode and bounds.mode.value.value,
        "on_denial": bounds.on_denial and bounds.on_denial.value.value,
        "sni": bounds.sni and bounds.sni.value.value,
        "may_ask": bounds.may_ask and bounds.may_ask.value,
        "max_scope": bounds.max_scope and bounds.max_scope.value,
        "max_seconds": bounds.max_seconds and bounds.max_seconds.value,
        "sandbox_required": bounds.sandbox_required and bounds.sandbox_required.value,
        "audit_mode": bounds.audit_mode and bounds.audit_mode.value,
    }
    return {key: value for key, value in given.items() if value is not None}


def _profile(name: str, policy: LayerPolicy, *, is_default: bool) -> dict[str, Any]:
    scalars = {
        key: said.value.value
        for key, said in (
            ("mode", policy.mode),
            ("default", policy.default),
            ("on_denial", policy.on_denial),
            ("sni", policy.sni),
        )
        if said is not None
    }
    return {
        "name": name,
        "is_default": is_default,
        **_counts(policy.rules),
        "allow_private": [str(block.value) for block in policy.allow_private],
        **scalars,
    }


def _counts(rules: tuple[Rule, ...]) -> dict[str, int]:
    allowed = sum(rule.effect is Effect.ALLOW for rule in rules)
    return {"allow": allowed, "deny": len(rules) - allowed}


def _profile_line(profile: dict[str, Any]) -> str:
    is_default = " (default)" if profile["is_default"] else ""
    return f"profile {profile['name']}{is_default}: {_policy_line(profile)}"


def _policy_line(says: dict[str, Any]) -> str:
    """`3 allow, 1 deny; mode limited; default ask`."""
    given = [f"{key} {says[key]}" for key in ("mode", "default", "on_denial") if key in says]
    if says.get("sni") == "record":  # the other one is nothing to look at
        given.append("sni record")
    if says["allow_private"]:
        given.append(f"allow_private {', '.join(says['allow_private'])}")
    return "; ".join([f"{says['allow']} allow, {says['deny']} deny", *given])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
