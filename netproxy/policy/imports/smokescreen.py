"""Stripe's smokescreen: the access lists of its YAML file, `version: v1`.

Theirs, for a service (a client's role): its own `allowed_domains` first, then `global_deny_list`,
`global_allow_list`, and its `action`: open and report allow the rest, enforce denies it. `*.d` is
everything below d; there are no ports, and only HTTP and CONNECT. Addresses that are not public are
refused by other means (`--allow-range`), so a list that names one opens nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.errors import InvalidSettings
from netproxy.model import Protocol
from netproxy.policy.hosts import shown
from netproxy.policy.imports.common import (
    EVERY_PORT,
    Entry,
    Imported,
    Listed,
    Profile,
    allow_entry,
    deny_entry,
    overlap,
    without_gaps,
)
from netproxy.policy.imports.reading import Path, Source, read_yaml
from netproxy.policy.rules import Effect
from netproxy.policy.spelling import nearest
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOLS = (Protocol.HTTP, Protocol.HTTPS)
_ACTIONS = ("open", "report", "enforce")
_FILE_KEYS = frozenset({"version", "services", "default", "global_allow_list", "global_deny_list"})
_OTHER_KEYS = {
    "mitm_domains": "theirs adds fields to requests and logs them; here nothing does",
    "allowed_domains_mitm": "hosts that theirs looks into are left out",
    "allowed_external_proxies": "other proxies are no part of the rules here",
}
_SERVICE_KEYS = frozenset({"name", "project", "action", "allowed_domains"})
_DEFAULT = "default"


def read(text: str, name: str, *, service: str | None = None) -> Imported:
    """Read an access list, for one service or for all. Raises `InvalidSettings`."""
    source = read_yaml(text, name)
    if source.text("version") != "v1":
        raise source.problem(("version",), "must be v1")
    services = _services(source)
    if service is not None:
        services = {service: _chosen(source, services, service)}
    elif source.table(_DEFAULT):
        services.setdefault(_DEFAULT, (_DEFAULT,))
    profiles = tuple(_profile(source, each, path) for each, path in services.items())
    names = [profile.name for profile in profiles]
    fallback = names[0] if len(names) == 1 else None
    return Imported(
        tool="smokescreen",
        source=name,
        profiles=profiles,
        default_profile=_DEFAULT if _DEFAULT in names else fallback,
        notes=tuple(_notes(source)),
    )


def _services(source: Source) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in source.items("services"):
        name = source.text(*path, "name")
        if not name:
            raise source.problem((*path, "name"), "is missing")
        if not name.isprintable():
            raise source.problem((*path, "name"), f"{shown(name)} is not printable")
        if name in found:
            raise source.problem((*path, "name"), f"there are two services {shown(name)}")
        found[name] = path
    if not found and not source.table(_DEFAULT):
        raise source.problem(("services",), "there is no service and no default")
    return found


def _chosen(source: Source, services: dict[str, Path], service: str) -> Path:
    """Choose as theirs does: the service's own rule, or the default one."""
    if service in services:
        return services[service]
    if source.table(_DEFAULT):
        return (_DEFAULT,)
    near = nearest(service, services)
    raise InvalidSettings((f"{source.name}: there is no service {shown(service)}{near}",))


def _profile(source: Source, name: str, path: Path) -> Profile:
    own = [_allow(theirs, line) for theirs, line in source.texts(*path, "allowed_domains")]
    shared = [_allow(theirs, line) for theirs, line in source.texts("global_allow_list")]
    denied = [
        _after_the_service(deny_entry(Listed(theirs, line, theirs.rstrip("."))), own)
        for theirs, line in source.texts("global_deny_list")
    ]
    return Profile(
        name=name,
        protocols=_PROTOCOLS,
        entries=without_gaps([*own, *shared, *_rest(source, path), *denied]),
        notes=tuple(_profile_notes(source, path)),
    )


def _allow(theirs: str, line: int) -> Entry:
    entry = allow_entry(Listed(theirs, line, theirs), opens_local=False)
    if "*" in theirs.removeprefix("*.") or not theirs:
        why = f"theirs refuses a file with {shown(theirs)}"
        return replace(entry, host=None, notes=(why,), is_failed=True)
    return entry


def _after_the_service(denied: Entry, own: list[Entry]) -> Entry:
    """Say where theirs would allow, because the service's own list comes before the global deny."""
    sparing = [entry.theirs for entry in own if denied.host and entry.host and _meet(denied, entry)]
    if not sparing:
        return denied
    listed = ", ".join(shown(each) for each in sparing)
    return replace(
        denied,
        notes=(*denied.notes, f"theirs: the service's own {listed} comes first; here a deny wins"),
    )


def _meet(one: Entry, other: Entry) -> bool:
    return overlap(one.host or "", other.host or "")


def _rest(source: Source, path: Path) -> Iterator[Entry]:
    """Say what happens to a host in no list."""
    action = source.text(*path, "action")
    if action not in _ACTIONS:
        near = nearest(action or "", _ACTIONS)
        what = f"{shown(action or '')} is not one of {', '.join(_ACTIONS)}{near}"
        raise source.problem((*path, "action"), what)
    if action != "enforce":
        note = "theirs reports what no list allows; here the journal does" * (action == "report")
        notes = tuple(each for each in (note, EVERY_PORT) if each)
        line = source.line((*path, "action"))
        yield Entry(
            effect=Effect.ALLOW, theirs=f"action: {action}", line=line, host="*", notes=notes
        )


def _profile_notes(source: Source, path: Path) -> Iterator[str]:
    if (project := source.text(*path, "project")) is not None:
        yield f"project {shown(project)}"
    for key in source.table(*path):
        if key in _OTHER_KEYS:
            yield f"{key}: {_OTHER_KEYS[key]}"
        elif key not in _SERVICE_KEYS:
            yield f"{shown(key)}: theirs ignores it, and so does the import"


def _notes(source: Source) -> Iterator[str]:
    yield "theirs chooses a service by who the client is; here --profile does"
    for key in source.table():
        if key not in _FILE_KEYS:
            yield f"{shown(key)}: theirs ignores it, and so does the import"
