"""Whether one rule allows nothing that others don't: "this lies within those". Pure.

Managed ceilings and what projects may widen are decided with it, so it is never a false yes: where
containment can't be decided, the answer is no. Patterns are compared one by one; ports may be
covered by several outer rules together, and each protocol for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Protocol
from netproxy.policy.addresses import AddressClass, classify_number
from netproxy.policy.blocks import number_of, single
from netproxy.policy.engine import opens_local
from netproxy.policy.index import RuleIndex
from netproxy.policy.patterns import Kind, NameGlob, Pattern, glob_covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netproxy.policy.blocks import Block
    from netproxy.policy.rules import Ports, Rule

_LITERALS = frozenset({Kind.ADDRESS, Kind.BLOCK})


def pattern_covers(outer: Pattern, inner: Pattern) -> bool:
    """Tell whether every host that `inner` matches is matched by `outer`, too."""
    if outer.kind is Kind.ANY or inner.kind is Kind.ANY:
        return outer.kind is Kind.ANY
    if outer.kind in _LITERALS or inner.kind in _LITERALS:
        mine, theirs = _block(outer), _block(inner)
        return mine is not None and theirs is not None and mine.contains(theirs)
    match outer.kind:
        case Kind.EXACT:
            return inner.kind is Kind.EXACT and inner.base == outer.base
        case Kind.TREE:
            return inner.base == outer.base or inner.base.endswith(f".{outer.base}")
        case Kind.BELOW:
            # The base itself is matched by an exact name and by a tree, not by what is below it.
            apart = inner.kind not in {Kind.EXACT, Kind.TREE} and inner.base == outer.base
            return apart or inner.base.endswith(f".{outer.base}")
        case _:
            return glob_covers(NameGlob(outer), inner)


def covers(outers: Iterable[Rule], inner: Rule) -> bool:
    """Tell whether the allow rules `outers` let through all that the allow rule `inner` does.

    For many inner rules: `Cover`.
    """
    return _within([rule for rule in outers if pattern_covers(rule.pattern, inner.pattern)], inner)


class Cover:
    """Allow rules that bound others, at a cost for each that doesn't grow with their number."""

    __slots__ = ("_index",)

    def __init__(self, outers: Iterable[Rule]) -> None:
        self._index = RuleIndex(outers)

    def covers(self, inner: Rule) -> bool:
        """Tell whether they let through all that the allow rule `inner` does."""
        return _within(self._index.covering(inner.pattern), inner)


def _block(pattern: Pattern) -> Block | None:
    """Return the literals that a pattern matches; None for one that matches names."""
    if pattern.kind is Kind.ADDRESS:
        return single(number_of(pattern.base))
    return pattern.block


def matches_all(outer: Rule, inner: Rule) -> bool:
    """Tell whether a rule, whose pattern is known to cover the other's, matches all that it does.

    For denials as it stands. An allow rule opens less than it matches: what is local, see `covers`.
    """
    return _holds_wherever(outer, inner) and _all_ports_covered((outer,), inner)


def names_local(rule: Rule) -> bool:
    """Tell whether an allow rule opens something that is not public, on any host."""
    if rule.pattern.kind is Kind.ADDRESS:
        return classify_number(number_of(rule.pattern.base)) is not AddressClass.PUBLIC
    return opens_local(rule)


def _within(outers: Sequence[Rule], inner: Rule) -> bool:
    """Check the rest, where the patterns of the outer rules are known to cover the inner one."""
    fitting = [rule for rule in outers if _holds_wherever(rule, inner)]
    if names_local(inner):
        # As in the decision: no wildcard and no range opens what is not public.
        fitting = [rule for rule in fitting if opens_local(rule)]
    return bool(fitting) and _all_ports_covered(fitting, inner)


def _holds_wherever(outer: Rule, inner: Rule) -> bool:
    """Tell whether the outer rule asks for no more, and for no shorter time, than the inner one."""
    if outer.condition is not None and outer.condition != inner.condition:
        return False
    if outer.expires_at is None:
        return True
    return inner.expires_at is not None and inner.expires_at <= outer.expires_at


def _all_ports_covered(outers: Sequence[Rule], inner: Rule) -> bool:
    protocols = Protocol if inner.protocol is None else (inner.protocol,)
    return all(_ports_covered(outers, inner, each) for each in protocols)


def _ports_covered(outers: Sequence[Rule], inner: Rule, protocol: Protocol) -> bool:
    ranges = sorted(
        ports for rule in outers if rule.protocol in {None, protocol} for ports in rule.ports
    )
    return all(_range_covered(ranges, wanted) for wanted in inner.ports)


def _range_covered(ranges: Sequence[Ports], wanted: Ports) -> bool:
    """Tell whether sorted ranges together leave no hole in the wanted one."""
    port, last = wanted
    for low, high in ranges:
        if low > port:
            return False
        port = max(port, high + 1)
        if port > last:
            return True
    return False
