"""The hooks of codex: conditions on the requests to one host, as tables of ours.

Theirs looks into the tunnels to a host with hooks and refuses a request that none of them matches;
what a hook then changes in the request has no counterpart. Ours refuses all of it until there is
inspection, and must not allow the host without its conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netproxy.errors import InvalidRule
from netproxy.model import Protocol
from netproxy.policy.conditions import (
    Condition,
    parse_header_name,
    parse_header_value,
    parse_method,
    parse_path,
)
from netproxy.policy.hosts import shown
from netproxy.policy.imports.common import Entry, Listed, allow_entry, deny_entry
from netproxy.policy.index import RuleIndex
from netproxy.policy.rules import Effect, parse_rule
from otel.values import replace

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
    try:
        condition = _condition(source, path)
    except InvalidRule as error:
        return _Hook(entry.host, _left_out(entry, str(error)))
    if entry.host is None:
        return _Hook(None, _left_out(entry))
    notes = (*entry.notes, "what the hook changes in a request is left out")
    return _Hook(entry.host, replace(entry, condition=condition, notes=notes))


def _left_out(entry: Entry, *why: str) -> Entry:
    return replace(entry, host=None, notes=(*entry.notes, *why), is_failed=True)


def _condition(source: Source, path: Path) -> Condition:
    """Say what a hook matches. Raises `InvalidRule` where no condition of ours does."""
    methods = [parse_method(each.upper()) for each, _ in source.texts(*path, "methods")]
    prefixes = [each for each, _ in source.texts(*path, "path_prefixes")]
    if not methods or not prefixes:
        raise InvalidRule("theirs refuses a hook without methods or path_prefixes")
    if source.table(*path, "query") or source.find((*path, "body")) is not None:
        raise InvalidRule("theirs matches its query or body, which no rule here can")
    headers: dict[str, str] = {}
    for field in source.table(*path, "headers"):
        name = parse_header_name(field)
        if name in headers:
            raise InvalidRule(f"{shown(name)} stands here twice")
        headers[name] = _header(source, (*path, "headers", field))
    return Condition(
        methods=tuple(dict.fromkeys(methods)),
        paths=tuple(dict.fromkeys(pattern for each in prefixes for pattern in _paths(each))),
        headers=tuple(headers.items()),
    )


def _paths(prefix: str) -> Iterator[str]:
    """Say a literal prefix of theirs, or less: ours ends where a segment does."""
    literal = _literal(prefix)
    if not literal.endswith("/"):
        yield parse_path(literal)
    yield parse_path(f"{literal.removesuffix('/')}/**")


def _header(source: Source, path: Path) -> str:
    values = [value for value, _ in source.texts(*path)]
    if len(values) != 1:
        raise InvalidRule("theirs matches one of several header values, which no rule here can")
    return parse_header_value(_literal(values[0]))


def _literal(text: str) -> str:
    if text.startswith("pattern:") or "*" in text:
        raise InvalidRule(f"theirs matches the pattern {shown(text)}, which no rule here can")
    return text.removeprefix("literal:")
