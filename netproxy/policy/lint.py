"""Rules that can't mean what they say: warnings for whoever wrote them. Pure.

What they do is well defined, and stays; errors are found where rules are read. Every rule is looked
up among the others once, so that a long list costs no more a rule than a short one.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from netproxy.model import Protocol
from netproxy.policy.containment import matches_all, names_local, pattern_covers
from netproxy.policy.engine import opens_local
from netproxy.policy.index import RuleIndex
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode
from netproxy.policy.special import is_special_name
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.policy.origin import Layer, Origin
    from netproxy.policy.rules import Rule
    from netproxy.policy.spec import PolicySpec

_LIMITED = frozenset({None, Protocol.HTTP})
_WILDCARDS = frozenset({Kind.BELOW, Kind.TREE, Kind.GLOB})


class FindingKind(StrEnum):
    """What is odd about a rule."""

    EXPIRED = "expired"  # its time is over
    MODE = "mode"  # the mode lets nothing through that it allows
    INSPECTION = "inspection"  # it refuses, because nobody can tell whether it holds
    LOCAL = "local"  # only rules that name them exactly open these names
    SHADOWED = "shadowed"  # a deny rule comes before it, always
    SHADOWING = "shadowing"  # that deny rule, where it hides several
    DUPLICATE = "duplicate"  # its own layer says the same before
    COVERED = "covered"  # its own layer allows more elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One warning: about the rule at `origin`; the message names every rule that it is about."""

    kind: FindingKind
    origin: Origin
    message: str


def lint(spec: PolicySpec, *, now: float) -> tuple[Finding, ...]:
    """Return all warnings, sorted by the rules they are about; `now` in seconds since the epoch."""
    live = [rule for rule in spec.rules if not rule.is_expired(now)]
    allows = [rule for rule in live if rule.effect is Effect.ALLOW]
    denies = [rule for rule in live if rule.effect is Effect.DENY]
    doubles = dict(_doubles(live))
    hidden = dict(_hidden(allows, denies))
    found = [
        *_expired(spec, now),
        *_against_mode(spec.mode, allows),
        *_unseen(live),
        *_unopened(allows),
        *(_duplicate(rule, first) for rule, first in doubles.values()),
        *_shadows(hidden),
        *_covered([rule for rule in allows if id(rule) not in hidden.keys() | doubles.keys()]),
    ]
    if not found:
        return ()
    places = {rule.origin: place for place, rule in enumerate(spec.rules)}
    # A table stands for several rules, about each of which there may be the same to say.
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: places[finding.origin]))


def _expired(spec: PolicySpec, now: float) -> Iterator[Finding]:
    for rule in spec.rules:
        if rule.expires_at is not None and rule.is_expired(now):
            until = datetime.fromtimestamp(rule.expires_at, UTC).strftime("%Y-%m-%d %H:%M")
            yield _finding(FindingKind.EXPIRED, rule, f"expired at {until} UTC, delete it")


def _against_mode(mode: Mode, allows: Sequence[Rule]) -> Iterator[Finding]:
    """Count what the mode leaves no use for: it was chosen once, for all of them."""
    idle = [rule for rule in allows if mode is Mode.OFF or rule.protocol not in _LIMITED]
    if mode is not Mode.FULL and idle:
        message = f"mode {mode} leaves no use for {_several(idle)}"
        yield Finding(kind=FindingKind.MODE, origin=idle[0].origin, message=message)


def _unseen(rules: Sequence[Rule]) -> Iterator[Finding]:
    for rule in rules:
        if rule.condition is not None:
            what = f"asks for {rule.condition}, which takes inspection: until then it only refuses"
            yield _finding(FindingKind.INSPECTION, rule, what)


def _unopened(allows: Sequence[Rule]) -> Iterator[Finding]:
    for rule in allows:
        if rule.pattern.kind in _WILDCARDS and is_special_name(f"a.{rule.pattern.base}"):
            what = "never matches: these are local names, each needs a rule that names it"
            yield _finding(FindingKind.LOCAL, rule, what)


def _doubles(rules: Sequence[Rule]) -> Iterator[tuple[int, tuple[Rule, Rule]]]:
    """Find the rules that their own layer has before; by id, because they are equal."""
    # Most patterns stand alone; hashing a whole rule costs ten times as much as its text.
    by_pattern: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_pattern[rule.pattern.text].append(rule)
    for same in by_pattern.values():
        seen: dict[tuple[Layer, Rule], Rule] = {}
        for rule in same if len(same) > 1 else ():
            first = seen.setdefault((rule.origin.layer, rule), rule)
            # A bundle that is used twice stands in one place.
            if first.origin != rule.origin:
                yield id(rule), (rule, first)


def _hidden(
    allows: Sequence[Rule], denies: Sequence[Rule]
) -> Iterator[tuple[int, tuple[Rule, Rule]]]:
    """Find the allow rules for which one deny rule comes before, always; by id."""
    index = RuleIndex(denies)
    for rule in allows:
        for deny in index.covering(rule.pattern):
            if matches_all(deny, rule):
                yield id(rule), (rule, deny)
                break


def _duplicate(rule: Rule, first: Rule) -> Finding:
    return _finding(FindingKind.DUPLICATE, rule, f"says again what {first.label} says")


def _shadows(hidden: dict[int, tuple[Rule, Rule]]) -> Iterator[Finding]:
    by_deny = defaultdict(list)
    for rule, deny in hidden.values():
        by_deny[id(deny)].append((rule, deny))
    for pairs in by_deny.values():
        rules, deny = [rule for rule, _ in pairs], pairs[0][1]
        if len({rule.origin for rule in rules}) == 1:
            what = f"never matches: {_named(deny)} comes before"
            yield _finding(FindingKind.SHADOWED, rules[0], what)
        else:
            yield _finding(FindingKind.SHADOWING, deny, f"hides {_several(rules)}")


def _covered(allows: Sequence[Rule]) -> Iterator[Finding]:
    """Find the allow rules to which another one of their layer leaves nothing."""
    index = RuleIndex(allows)
    earlier = set()
    for rule in allows:
        earlier.add(id(rule))
        covering = index.covering(rule.pattern)
        # Itself among them, and for most rules nothing else.
        for other in covering if len(covering) > 1 else ():
            # A bundle may be used twice, and a table stands for several rules.
            if other.origin == rule.origin or not _leaves_nothing(other, rule):
                continue
            # Of two that cover one another the second is the one too many.
            if id(other) in earlier or not pattern_covers(rule.pattern, other.pattern):
                yield _finding(FindingKind.COVERED, rule, _what_is_lost(rule, other))
                break


def _leaves_nothing(other: Rule, rule: Rule) -> bool:
    """Tell whether a rule, whose pattern covers the other's, lets through all that it does."""
    if names_local(rule) and not opens_local(other):
        return False
    # A condition that a wider rule makes void was meant to hold, wherever that rule stands.
    is_void = rule.condition is not None and other.condition is None
    same_file = (other.origin.layer, other.origin.file) == (rule.origin.layer, rule.origin.file)
    same_use = same_file and other.on_denial is rule.on_denial
    return (is_void or same_use) and matches_all(other, rule)


def _what_is_lost(rule: Rule, other: Rule) -> str:
    if rule.condition is not None and other.condition is None:
        return f"asks for {rule.condition}, and {_named(other)} allows the rest, too"
    return f"adds nothing to {_named(other)}"


def _finding(kind: FindingKind, rule: Rule, what: str) -> Finding:
    return Finding(kind=kind, origin=rule.origin, message=f"{_named(rule)} {what}")


def _named(rule: Rule) -> str:
    return f"{rule.effect.value} {rule.label}"


def _several(allows: Sequence[Rule]) -> str:
    """`allow a (file:1)`, or `3 allow rules, a (file:1) among them`; a table counts as one."""
    count = len({rule.origin for rule in allows})
    if count == 1:
        return _named(allows[0])
    return f"{count} allow rules, {allows[0].label} among them"
