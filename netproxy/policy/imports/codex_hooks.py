"""The hooks of codex: conditions on the requests to one host, as tables of ours.

Theirs looks into the tunnels to a host with hooks and refuses a request that none of them matches;
what a hook then changes in the request has no counterpart. Ours refuses all of it until there is
inspection, and must not allow the host without its conditions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from netproxy.model import Protocol
from netproxy.policy.conditions import Condition
from netproxy.policy.imports.common import Entry, Listed, allow_entry, deny_entry
from netproxy.policy.index import RuleIndex
from netproxy.policy.rules import Effect, parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.policy.imports.reading import Path, Source

_ONLY_HOOKS = "theirs lets through only what its hooks match"


class _Hook(NamedTuple):
    host: str | None  # in our spelling; None: no host of ours
    entry: Entry


def with_hooks(entries: list[Entry], source: Source, tables: list[Path]) -> Iterator[Entry]:
    """Put the hooks in the place of what allows their hosts."""
    hooks = _hooks(source, tables)
    hosts = [hook.host for hook in hooks if hook.host is not None]
    named, covered = set(), set()
    for entry in entries:
        touched = {host for host in hosts if _opens(entry, host)}
        if entry.host in touched:
            named.add(entry.host)
            yield replace(entry, host=None, notes=(f"{_ONLY_HOOKS}: see the tables",))
        else:
            covered |= touched
            yield entry
    for hook in hooks:
        if hook.host in covered:
            covered.discard(hook.host)
            note = f"{_ONLY_HOOKS}, and a wider entry opens this host here"
            listed = Listed(hook.entry.theirs, hook.entry.line, hook.host.strip("[]"))
            yield deny_entry(listed, notes=(note,))
            named.discard(hook.host)
        elif hook.host is None or hook.host in named:
            yield hook.entry
        else:
            yield replace(hook.entry, host=None, notes=("no entry opens its host here",))


def _opens(entry: Entry, host: str) -> bool:
    if entry.effect is not Effect.ALLOW or entry.host is None:
        return False
    rule = parse_rule(entry.host, Effect.ALLOW)
    return RuleIndex((rule,)).match_host(host.strip("[]")) is not None


def _hooks(source: Source, tables: list[Path]) -> list[_Hook]:
    """Read every hook; the nearest of a name holds."""
    found: dict[str, _Hook] = {}
    for table in reversed(tables):
        for name in source.table(*table, "mitm", "hooks"):
            found[name] = _hook(source, (*table, "mitm", "hooks", name), name)
    return list(found.values())


def _hook(source: Source, path: Path, name: str) -> _Hook:
    theirs = source.text(*path, "host") or ""
    # Theirs takes hooks for what flows inside TLS only.
    entry = replace(
        allow_entry(Listed(theirs, source.line(path), theirs, 443)),
        protocols=(Protocol.HTTPS,),
        name=name,
    )
    prefixes = [_path(each) for each, _ in source.texts(*path, "path_prefixes")]
    headers = [_header(source, (*path, "headers"), key) for key in source.table(*path, "headers")]
    unsaid = {
        "query": bool(source.table(*path, "query")),
        "body": source.find((*path, "body")) is not None,
        "path patterns": None in prefixes,
        "header values": None in headers,
    }
    if entry.host is None or any(unsaid.values()):
        whats = [what for what, is_there in unsaid.items() if is_there]
        why = tuple(f"theirs matches its {what}, which no rule here can" for what in whats)
        left_out = replace(entry, host=None, notes=(*entry.notes, *why), is_failed=True)
        return _Hook(entry.host, left_out)
    condition = Condition(
        methods=tuple(each.upper() for each, _ in source.texts(*path, "methods")),
        paths=tuple(pattern for each in prefixes for pattern in each or ()),
        headers=tuple(each for each in headers if each),
    )
    notes = (*entry.notes, "what the hook changes in a request is left out")
    return _Hook(entry.host, replace(entry, condition=condition, notes=notes))


def _path(prefix: str) -> tuple[str, ...] | None:
    """Say a literal prefix of theirs; None where it is a pattern."""
    if prefix.startswith("pattern:"):
        return None
    literal = prefix.removeprefix("literal:")
    if "*" in literal or not literal.startswith("/"):
        return None
    return (f"{literal}**",) if literal.endswith("/") else (literal, f"{literal}/**")


def _header(source: Source, path: Path, name: str) -> tuple[str, str] | None:
    """Say a header of theirs with its one literal value; None for any other."""
    values = [value for value, _ in source.texts(*path, name)]
    if len(values) != 1 or "*" in values[0] or values[0].startswith("pattern:"):
        return None
    return name.lower(), values[0].removeprefix("literal:")
