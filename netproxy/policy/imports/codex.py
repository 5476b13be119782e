"""OpenAI's codex: network tables of its config.toml, and of requirements.toml.

Theirs: a denied pattern wins, then local hosts need a pattern that names them, then an allowed one,
else the answer is no (or a decider is asked). `*.d` is everything below d, `**.d` is d as well; any
other pattern is a glob whose `*` crosses dots. There are no ports: one in a pattern is ignored.
A host with hooks lets through only the requests that one of them matches (`codex_hooks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Protocol
from netproxy.policy.hosts import shown
from netproxy.policy.imports.codex_hooks import with_hooks
from netproxy.policy.imports.common import (
    Entry,
    Imported,
    Listed,
    Profile,
    allow_entry,
    deny_entry,
    split_port,
    without_gaps,
)
from netproxy.policy.imports.reading import Path, Source, read_toml
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMISSIONS = "permissions"
_MANAGED = "experimental_network"
# Tables of earlier versions, and where their lists stand.
_EARLIER: dict[str, Path] = {"network_proxy": ("policy",), "network": ()}

_OTHER_KEYS = {
    "allow_unix_sockets": "unix sockets are no destinations here",
    "unix_sockets": "unix sockets are no destinations here",
    "dangerously_allow_all_unix_sockets": "unix sockets are no destinations here",
    "allow_upstream_proxy": "whether theirs goes through a parent proxy is left out",
    "managed_allowed_domains_only": "nobody may add to theirs; here the managed file does that,"
    " with [network] allow and may_ask = false",
}
_KNOWN = frozenset(
    {
        "enabled", "mode", "domains", "allowed_domains", "denied_domains", "allow_local_binding",
        "enable_socks5", "enable_socks5_udp", "mitm", "policy", "proxy_url", "socks_url",
        "admin_url", "http_port", "socks_port", "dangerously_allow_non_loopback_proxy",
        "dangerously_allow_non_loopback_admin",
    }
)  # fmt: skip


def read(text: str, name: str) -> Imported:
    """Read a configuration. Raises `InvalidSettings`."""
    source = read_toml(text, name)
    profiles = tuple(_profiles(source))
    if not profiles:
        expected = "[permissions.NAME.network], [experimental_network] or [network_proxy]"
        raise source.problem((), f"has no network table: expected {expected}")
    names = [profile.name for profile in profiles]
    chosen = source.text("default_permissions")
    fallback = names[0] if len(names) == 1 else None
    return Imported(
        tool="codex",
        source=name,
        profiles=profiles,
        default_profile=chosen if chosen in names else fallback,
        notes=('theirs may ask where nothing matches; here the answer is no, or default = "ask"',),
    )


def _profiles(source: Source) -> Iterator[Profile]:
    for name in source.table(_PERMISSIONS):
        if not name.isprintable():
            raise source.problem((_PERMISSIONS, name), "is not printable")
        if source.find((_PERMISSIONS, name, "network")) is not None:
            yield _profile(source, name or "codex", _Tables(source, _inherited(source, name), ()))
    if source.table(_MANAGED):
        yield _profile(source, "managed", _Tables(source, [(_MANAGED,)], ()))
    for name, lists in _EARLIER.items():
        if source.table(name):
            yield _profile(source, name, _Tables(source, [(name,)], lists))


def _inherited(source: Source, name: str) -> list[Path]:
    """Return the network tables of a profile and of what it extends, its own first."""
    names = [name]
    while (parent := source.text(_PERMISSIONS, names[-1], "extends")) is not None:
        path = (_PERMISSIONS, names[-1], "extends")
        if parent in names:
            raise source.problem(path, "extends itself")
        if parent.startswith(":"):  # built in, without lists of its own
            break
        if not source.table(_PERMISSIONS, parent):
            raise source.problem(path, f"there is no profile {shown(parent)}")
        names.append(parent)
    return [(_PERMISSIONS, each, "network") for each in names]


class _Tables:
    """One network table over those that it inherits: what stands in the first of them holds."""

    def __init__(self, source: Source, paths: list[Path], lists: Path) -> None:
        self.source = source
        self.paths = paths
        self._lists = lists

    def flag(self, key: str) -> bool | None:
        """Return the nearest true or false."""
        return next((f for p in self.paths if (f := self.source.flag(*p, key)) is not None), None)

    def text(self, key: str) -> str | None:
        """Return the nearest text."""
        return next((t for p in self.paths if (t := self.source.text(*p, key)) is not None), None)

    def every_key(self) -> list[str]:
        """Return every key that one of the tables has, each once."""
        return list(dict.fromkeys(key for path in self.paths for key in self.source.table(*path)))

    def domains(self) -> list[tuple[str, int, Effect]]:
        """Return every pattern with its line and what it does; the nearest wins."""
        found: dict[str, tuple[str, int, Effect]] = {}
        for path in reversed(self.paths):
            for key, effect in (("allowed", Effect.ALLOW), ("denied", Effect.DENY)):
                for pattern, line in self.source.texts(*path, *self._lists, f"{key}_domains"):
                    found[pattern] = (pattern, line, effect)
            for pattern in self.source.table(*path, "domains"):
                place = (*path, "domains", pattern)
                found[pattern] = (pattern, self.source.line(place), self._permission(place))
        return list(found.values())

    def _permission(self, place: Path) -> Effect:
        said = self.source.text(*place)
        if said not in {"allow", "deny"}:
            raise self.source.problem(place, 'must be "allow" or "deny"')
        return Effect(said)


def _profile(source: Source, name: str, tables: _Tables) -> Profile:
    entries = [_entry(*each) for each in tables.domains()]
    return Profile(
        name=name,
        mode=_mode(source, tables),
        protocols=_protocols(tables),
        entries=without_gaps(with_hooks(entries, source, tables.paths)),
        notes=tuple(_notes(tables)),
    )


def _entry(theirs: str, line: int, effect: Effect) -> Entry:
    pattern, port = _normal(theirs)
    if effect is Effect.DENY:
        return deny_entry(Listed(theirs, line, pattern))
    notes = () if port is None else (f"theirs ignores :{port} and opens every port",)
    return allow_entry(Listed(theirs, line, pattern, port), notes=notes)


def _normal(theirs: str) -> tuple[str, int | None]:
    """Part pattern and port as theirs does: space, brackets, trailing dots and port fall away."""
    text = theirs.strip()
    head = next((each for each in ("**.", "*.") if text.startswith(each)), "")
    rest = text.removeprefix(head)
    if rest.startswith("[") and "]" in rest:
        inside, _, after = rest[1:].partition("]")
        return head + inside.rstrip("."), split_port(f"host{after}")[1]
    port = None
    if rest.count(":") == 1:
        rest, _, _ = rest.partition(":")
        port = split_port(text.removeprefix(head))[1]
    return head + rest.rstrip("."), port


def _mode(source: Source, tables: _Tables) -> Mode:
    said = tables.text("mode")
    if said not in {None, "full", "limited"}:
        raise source.problem((*tables.paths[0], "mode"), 'must be "full" or "limited"')
    if not _is_on(tables):
        return Mode.OFF
    return Mode.LIMITED if said == "limited" else Mode.FULL


def _is_on(tables: _Tables) -> bool:
    """Tell whether theirs opens the network at all: it must say so, but in managed settings."""
    said = tables.flag("enabled")
    return said is True or (said is None and tables.paths[0] == (_MANAGED,))


def _protocols(tables: _Tables) -> tuple[Protocol, ...] | None:
    """Say what theirs carries. None: all that we do."""
    # Earlier versions had SOCKS5 switched off where nothing is said.
    usual = tables.paths[0][0] not in _EARLIER
    over_tcp, over_udp = (tables.flag(f"enable_socks5{end}") for end in ("", "_udp"))
    has_tcp = usual if over_tcp is None else over_tcp
    has_udp = has_tcp and (usual if over_udp is None else over_udp)
    if has_udp:
        return None
    base = (Protocol.HTTP, Protocol.HTTPS)
    return (*base, Protocol.SOCKS5_TCP) if has_tcp else base


def _notes(tables: _Tables) -> Iterator[str]:
    if not _is_on(tables):
        yield "enabled is not true: theirs opens no network, so mode is off"
    if tables.text("mode") == "limited":
        yield "theirs looks into tunnels in limited mode; here it refuses them"
    if tables.flag("allow_local_binding"):
        yield "allow_local_binding: theirs reaches local hosts; here a rule names each"
    for key in tables.every_key():
        if key in _OTHER_KEYS:
            yield f"{key}: {_OTHER_KEYS[key]}"
        elif key not in _KNOWN:
            yield f"{shown(key)}: not known here, left out"
