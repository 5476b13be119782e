"""What an imported list becomes: entries with their hosts in our spelling, and every difference.

The import never widens: what we can't say exactly becomes less for an allow and more for a deny.
Where a deny has no rule of ours at all, the allows that it may touch are left out instead.
Theirs have no ports: an allow here opens 80 and 443.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netproxy.errors import InvalidRule
from netproxy.model import Protocol, Verdict
from netproxy.policy.hosts import PORT_LIMIT, shown
from netproxy.policy.patterns import Kind, Pattern, parse_pattern
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode
from netproxy.policy.special import is_loopback_name, is_special_name
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netproxy.policy.conditions import Condition

EVERY_PORT = "theirs: every port"
CROSSES_DOTS = "theirs: * crosses dots"
NEVER_MATCHES = "theirs never matches it"

_SINGLE = frozenset({Kind.EXACT, Kind.ADDRESS})
_PORT = re.compile(r"[1-9][0-9]{0,4}")
# Whatever is a pattern in any of their languages.
_PATTERN_MARK = re.compile(r"[*?\[\]{}!]")


class Listed(NamedTuple):
    """One entry as their file has it, and the host pattern and the port in it."""

    theirs: str
    line: int
    pattern: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of their lists, and what it became."""

    effect: Effect
    theirs: str
    line: int
    host: str | None  # a host pattern of ours; None: left out
    port: int | None = None  # None: the default of the effect
    protocols: tuple[Protocol, ...] | None = None  # of an allow; None: the profile's
    notes: tuple[str, ...] = ()  # every difference in meaning
    is_failed: bool = False  # left out although theirs means something by it
    reason: str | None = None
    condition: Condition | None = None
    name: str | None = None  # what theirs calls it
    gap: str | None = None  # a deny that no rule says: what every host that it matches ends with


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One set of rules of theirs: a permission profile, a service, the whole file."""

    name: str
    mode: Mode = Mode.FULL
    default: Verdict = Verdict.DENY
    protocols: tuple[Protocol, ...] | None = None  # what theirs carries; None: all
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A whole file of theirs in our words."""

    tool: str
    source: str
    profiles: tuple[Profile, ...]
    default_profile: str | None
    notes: tuple[str, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """Every entry of every profile."""
        return [entry for profile in self.profiles for entry in profile.entries]

    @property
    def kept(self) -> int:
        """How many entries became rules."""
        return sum(entry.host is not None for entry in self.entries)

    @property
    def failed(self) -> int:
        """How many entries have no rule of ours, although theirs means something by them."""
        return sum(entry.is_failed for entry in self.entries)

    @property
    def differences(self) -> int:
        """How many differences in meaning are said."""
        notes = len(self.notes) + sum(len(profile.notes) for profile in self.profiles)
        return notes + sum(len(entry.notes) for entry in self.entries)


def allow_entry(listed: Listed, *, notes: tuple[str, ...] = (), opens_local: bool = True) -> Entry:
    """Say an allow of theirs, or less. `opens_local`: theirs reaches local hosts it names."""
    entry = Entry(
        effect=Effect.ALLOW,
        theirs=listed.theirs,
        line=listed.line,
        host=None,
        port=listed.port,
        notes=(*notes, EVERY_PORT) if listed.port is None else notes,
    )
    pattern = listed.pattern
    try:
        read = _readable(pattern)
    except InvalidRule as error:
        return replace(entry, notes=(str(error),), is_failed=True)
    if (why := _unreachable(read, pattern)) is not None:
        return replace(entry, notes=(why,))
    if (why := _opens_more(read, opens_local=opens_local)) is not None:
        return replace(entry, notes=(why,), is_failed=True)
    if read.kind is Kind.GLOB:
        entry = replace(entry, notes=(*entry.notes, CROSSES_DOTS))
    elif _is_wildcard_over_local(read):
        entry = replace(entry, notes=(*entry.notes, "here no wildcard opens local names"))
    return replace(entry, host=read.text)


def deny_entry(listed: Listed, *, notes: tuple[str, ...] = (), reason: str | None = None) -> Entry:
    """Say a deny of theirs, or more; where none of ours is enough it is a gap (`without_gaps`)."""
    entry = Entry(
        effect=Effect.DENY,
        theirs=listed.theirs,
        line=listed.line,
        host=None,
        port=listed.port,
        notes=notes,
        reason=reason,
    )
    pattern = listed.pattern
    if not _PATTERN_MARK.search(pattern):
        try:
            return replace(entry, host=_readable(pattern).text)
        except InvalidRule:
            # No destination of ours is ever spelled so: there is nothing to deny.
            return replace(entry, notes=(*notes, "no host is spelled so here"))
    try:
        read = _readable(pattern)
        if read.kind is not Kind.GLOB:
            return replace(entry, host=read.text)
        wider = parse_pattern(f"*.{read.base}")
    except InvalidRule:
        end = _fixed_end(pattern)
        try:
            wider = parse_pattern(f"*.{end}")
        except InvalidRule as error:
            return replace(entry, notes=(*notes, str(error)), is_failed=True, gap=end)
    return replace(entry, host=wider.text, notes=(*notes, "here: everything below"))


def without_gaps(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Leave out the allows that a deny without a rule of ours may touch, and what stands twice."""
    kept = list(entries)
    for gap in [entry for entry in kept if entry.gap is not None]:
        why = f"theirs denies {shown(gap.theirs)} (line {gap.line}), which no rule here can say"
        kept = [
            replace(entry, host=None, notes=(why,), is_failed=True)
            if entry.effect is Effect.ALLOW and entry.host and _may_meet(entry.host, gap.gap or "")
            else entry
            for entry in kept
        ]
    return tuple(_once(kept))


def overlap(one: str, other: str) -> bool:
    """Tell whether two host patterns of ours (no globs) match a host in common."""
    first, second = _pattern(one), _pattern(other)
    if first.kind in _SINGLE and second.kind in _SINGLE:
        return first.base == second.base
    if second.kind in _SINGLE:
        first, second = second, first
    if first.kind in _SINGLE:
        is_apex = first.base == second.base
        return _ends_with(first.base, second.base) and (second.kind is Kind.TREE or not is_apex)
    return _ends_with(first.base, second.base) or _ends_with(second.base, first.base)


def split_port(text: str) -> tuple[str, int | None]:
    """Part `host:443` and `[::1]:443`; a text without a valid port is all host."""
    if text.startswith("["):
        inside, _, rest = text[1:].partition("]")
        port = _port(rest[1:]) if rest.startswith(":") else None
        return (inside, port) if not rest or port else (text, None)
    host, colon, rest = text.rpartition(":")
    port = _port(rest) if colon and ":" not in host else None
    return (host, port) if port else (text, None)


def _port(text: str) -> int | None:
    return int(text) if _PORT.fullmatch(text) and int(text) <= PORT_LIMIT else None


def _readable(pattern: str) -> Pattern:
    """Read a pattern of theirs as one of ours, but for what ours alone would see in it."""
    if "/" in pattern:
        raise InvalidRule(f"{shown(pattern)} holds a slash: theirs has neither blocks nor paths")
    return parse_pattern(pattern)


def _unreachable(read: Pattern, pattern: str) -> str | None:
    """Say why theirs never matches a host that comes in our one spelling."""
    if not pattern.isascii():
        return f"{NEVER_MATCHES}: clients send {shown(read.text)}"
    if read.kind in {Kind.EXACT, Kind.ADDRESS} and read.base != pattern.lower().rstrip("."):
        return f"{NEVER_MATCHES} in its usual spelling, {shown(read.text)}"
    return None


def _opens_more(read: Pattern, *, opens_local: bool) -> str | None:
    """Say why a rule of ours would reach something local that theirs doesn't."""
    if read.kind is Kind.EXACT and is_loopback_name(read.base):
        if opens_local and read.base == "localhost":
            return None
        return "theirs reaches no loopback under this name, a rule here would"
    if read.kind is Kind.ADDRESS and not opens_local and _is_not_public(read.base):
        return "theirs refuses this address by its kind, a rule here would open it"
    return None


def _is_not_public(literal: str) -> bool:
    from netproxy.policy.addresses import AddressClass, classify

    return classify(literal) is not AddressClass.PUBLIC


def _is_wildcard_over_local(read: Pattern) -> bool:
    return read.kind in {Kind.BELOW, Kind.TREE} and is_special_name(f"x.{read.base}")


def _may_meet(host: str, end: str) -> bool:
    """Tell whether some host may match an allow of ours and end with what a deny ends with."""
    base = _pattern(host).base
    return _ends_with(base, end) or _ends_with(end, base)


def _fixed_end(pattern: str) -> str:
    """Return the labels after the last wildcard: every match ends with a dot and these."""
    return _PATTERN_MARK.split(pattern.lower().rstrip("."))[-1].partition(".")[2]


def _pattern(host: str) -> Pattern:
    return parse_pattern(host.strip("[]"))


def _ends_with(name: str, end: str) -> bool:
    return not end or name == end or name.endswith(f".{end}")


def _once(entries: list[Entry]) -> list[Entry]:
    """Say of a rule that stands above already that it does."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for entry in entries:
        key = (entry.effect, entry.host, entry.port, entry.condition)
        if entry.host is not None and key in seen:
            kept.append(replace(entry, host=None, notes=("stands above already",)))
        else:
            kept.append(entry)
        seen.add(key)
    return kept
