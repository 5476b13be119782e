"""An imported list as TOML that our loader takes, every difference beside the rule it concerns.

Whatever comes from their file is quoted: in comments as ASCII without line ends, in values as TOML
escapes. So nothing in it can become a rule, or a line of its own.
"""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING, Any

from netproxy.policy.hosts import shown
from netproxy.policy.rules import Effect
from netproxy.policy.toml_text import comment, key, value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.model import Protocol
    from netproxy.policy.imports.common import Entry, Imported, Profile

# Our own limit of a rule's reason, and of a profile's name.
_LINE_LENGTH = 200
_UNNAMED = "imported"


def as_toml(imported: Imported) -> str:
    """Write the whole file."""
    return "\n".join(_file_lines(imported)) + "\n"


def as_records(imported: Imported) -> list[dict[str, Any]]:
    """Say the same as objects: one for each entry and note, and a summary with the TOML."""
    records: list[dict[str, Any]] = [{"kind": "note", "note": note} for note in imported.notes]
    for profile in imported.profiles:
        records += [
            {"kind": "note", "note": note, "profile": profile.name} for note in profile.notes
        ]
        records += [_record(entry, profile) for entry in profile.entries]
    summary = {
        "kind": "summary",
        "tool": imported.tool,
        "rules": imported.kept,
        "failed": imported.failed,
        "differences": imported.differences,
        "toml": as_toml(imported),
    }
    return [*records, summary]


def summary(imported: Imported) -> list[str]:
    """Say what was imported, and every difference, a line each."""
    counts = f"{imported.kept} imported, {imported.failed} can't be said here"
    lines = [f"{imported.source}: {counts}, {imported.differences} differences in meaning"]
    lines += [f"{imported.source}: {note}" for note in imported.notes]
    for profile in imported.profiles:
        lines += [f"{imported.source}: {shown(profile.name)}: {note}" for note in profile.notes]
        for entry in profile.entries:
            if entry.notes:
                where = f"{imported.source}:{entry.line} {entry.effect.value}"
                lines.append(f"{where} {shown(entry.theirs)}: {_comment(entry)}")
    return lines


def _record(entry: Entry, profile: Profile) -> dict[str, Any]:
    return {
        "kind": "entry",
        "profile": profile.name,
        "effect": entry.effect.value,
        "theirs": entry.theirs,
        "line": entry.line,
        "rules": _texts(entry, profile) if entry.host else [],
        "failed": entry.is_failed,
        "notes": list(entry.notes),
        "reason": entry.reason,
        "condition": None if entry.condition is None else str(entry.condition),
    }


def _file_lines(imported: Imported) -> Iterator[str]:
    yield f"# Imported from {imported.tool}: {imported.kept} entries, {imported.failed} left out"
    yield "# because no rule here can say them. Each line says what theirs means otherwise."
    for note in imported.notes:
        yield comment(f"# {note}")
    names = _names(imported.profiles)
    if imported.default_profile is not None:
        yield f"default_profile = {value(names[imported.default_profile])}"
    for profile in imported.profiles:
        yield ""
        yield from _profile_lines(profile, names[profile.name])


def _names(profiles: tuple[Profile, ...]) -> dict[str, str]:
    """Give each profile a name that ours may have; no two are alike, whatever was cut off."""
    ours: dict[str, str] = {}
    for profile in profiles:
        base = _line(profile.name) or _UNNAMED
        numbered = (_line(f"{number} {base}") for number in count(2))
        ours[profile.name] = next(n for n in chain([base], numbered) if n not in ours.values())
    return ours


def _line(text: str) -> str:
    return comment(text).strip()[:_LINE_LENGTH]


def _profile_lines(profile: Profile, name: str) -> Iterator[str]:
    section = f"profiles.{key(name)}.network"
    for note in profile.notes:
        yield comment(f"# {note}")
    yield f"[{section}]"
    yield f'mode = "{profile.mode}"'
    yield f'default = "{profile.default.value}"'
    for effect in Effect:
        yield f"{effect.value} = ["
        for entry in profile.entries:
            if entry.effect is effect and not _is_table(entry):
                yield _list_line(entry, profile)
        yield "]"
    for entry in profile.entries:
        if _is_table(entry):
            yield from _table_lines(entry, profile, section)


def _is_table(entry: Entry) -> bool:
    return entry.host is not None and (entry.condition is not None or bool(entry.reason))


def _list_line(entry: Entry, profile: Profile) -> str:
    if entry.host is None:
        return f"    # left out, line {entry.line}, {shown(entry.theirs)}: {_comment(entry)}"
    written = ", ".join(value(rule) for rule in _texts(entry, profile))
    said = _comment(entry)
    return f"    {written}," + (f"  # line {entry.line}: {said}" if said else "")


def _table_lines(entry: Entry, profile: Profile, section: str) -> Iterator[str]:
    yield ""
    yield f"[[{section}.rules]]  # line {entry.line}: {_comment(entry)}".removesuffix(": ")
    yield f"host = {value(entry.host or '')}"
    if entry.port is not None:
        yield f"ports = [{entry.port}]"
    if protocols := _protocols(entry, profile):
        yield f"protocols = [{', '.join(map(value, protocols))}]"
    if (condition := entry.condition) is not None:
        if condition.methods:
            yield f"methods = [{', '.join(map(value, condition.methods))}]"
        if condition.paths:
            yield f"paths = [{', '.join(map(value, condition.paths))}]"
        if condition.headers:
            fields = (f"{key(name)} = {value(said)}" for name, said in condition.headers)
            yield f"headers = {{ {', '.join(fields)} }}"
    yield f'verdict = "{entry.effect.value}"'
    if reason := _line(entry.reason or ""):
        yield f"reason = {value(reason)}"


def _texts(entry: Entry, profile: Profile) -> list[str]:
    """Write the short form: once, or once for each protocol that theirs carries."""
    place = f"{entry.host}" if entry.port is None else f"{entry.host}:{entry.port}"
    return [f"{protocol}://{place}" for protocol in _protocols(entry, profile)] or [place]


def _protocols(entry: Entry, profile: Profile) -> tuple[Protocol, ...]:
    """Return the protocols that a rule names; a deny is for all of them."""
    if entry.effect is Effect.DENY:
        return ()
    return entry.protocols or profile.protocols or ()


def _comment(entry: Entry) -> str:
    name = () if entry.name is None else (shown(entry.name),)
    return comment("; ".join((*name, *entry.notes)))
