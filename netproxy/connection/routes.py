"""Where a connection leaves: directly, through a parent proxy, or not at all. Pure.

Chosen by the host that was asked for, before any lookup; the first route that names it wins. Who
may reach what is the policy's business: a route opens nothing.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

from netproxy.model import Judgement, Reason, Source, Verdict
from netproxy.policy.addresses import AddressClass, classify, is_wholly_special
from netproxy.policy.hosts import is_address
from netproxy.policy.index import RuleIndex
from netproxy.policy.patterns import Kind
from netproxy.policy.special import is_special_name
from otel.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.connection.gate import Judge
    from netproxy.model import Destination, OnDenial, Sni
    from netproxy.policy.rules import Rule
    from netproxy.ports import SessionCache


class ParentKind(StrEnum):
    """What a parent speaks: the scheme of its URL."""

    HTTP = "http"  # CONNECT, RFC 9110 section 9.3.6
    SOCKS5 = "socks5"  # RFC 1928
    SOCKS4 = "socks4"  # and 4a where it resolves


class Resolving(StrEnum):
    """Who looks up the name of what is reached through a parent."""

    HERE = "here"  # we do; the parent is told an address that was checked
    THERE = "there"  # the parent does, so what it connects to can't be checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a parent wants to hear. Never shown, not even in an error."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A proxy of the operator's. Its own host is trusted: it may be private, and isn't judged."""

    name: str
    kind: ParentKind
    host: str
    port: int
    resolving: Resolving = Resolving.HERE
    login: Login | None = None
    passed_by: tuple[Rule, ...] = ()  # what leaves directly nevertheless: NO_PROXY

    @property
    def url(self) -> str:
        """Where it is, without a login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


class Exit(Enum):
    """The ways that need no parent."""

    DIRECT = "direct"
    REFUSE = "refuse"


type Way = Parent | Exit

# Of a pattern, those that name what is local on purpose. What they are in rules, they are here.
_NAMING: Final = frozenset({Kind.EXACT, Kind.ADDRESS})


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts, each as a rule for every port, and the way to them."""

    hosts: tuple[Rule, ...]
    way: Way


class Routes:
    """All routes, in the order in which they were written. What none names leaves directly."""

    __slots__ = ("_index", "_of_local", "_passed_by", "_routes", "_ways", "parents", "refuses")

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._ways: dict[Rule, Way] = {}
        for route in routes:
            for rule in route.hosts:
                self._ways.setdefault(rule, route.way)
        self._index = RuleIndex(self._ways)
        self._of_local = RuleIndex(
            rule for rule, way in self._ways.items() if isinstance(way, Exit) or _names_local(rule)
        )
        self.parents = tuple(
            dict.fromkeys(way for way in self._ways.values() if isinstance(way, Parent))
        )
        self._passed_by = {parent.name: RuleIndex(parent.passed_by) for parent in self.parents}
        self.refuses = Exit.REFUSE in self._ways.values()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Routes) and self._routes == other._routes

    def __hash__(self) -> int:
        return hash(self._routes)

    def way(self, destination: Destination) -> Way:
        """Choose. A parent gets local literals and names only where its route names them.

        To it, 127.0.0.1 and localhost are itself, and 10.0.0.1 lies in its own network.
        """
        rule = self.rule(destination)
        way = Exit.DIRECT if rule is None else self._ways[rule]
        if isinstance(way, Parent) and self._passed_by[way.name].match(destination):
            return Exit.DIRECT
        return way

    def rule(self, destination: Destination) -> Rule | None:
        """Return what names it in the route that is chosen."""
        index = self._of_local if _is_local(destination.host) else self._index
        return index.match(destination)


class RoutedJudge:
    """Fills the gate's `Judge`: the policy, and no to what has no way out.

    Known before anybody is asked, so nobody is asked in vain.
    """

    def __init__(self, policy: Judge, routes: Routes) -> None:
        self._policy = policy
        self._routes = routes

    @property
    def on_denial(self) -> OnDenial:
        """What the policy says."""
        return self._policy.on_denial

    @property
    def sni(self) -> Sni:
        """What the policy says."""
        return self._policy.sni

    def judge(self, destination: Destination, method: str, cache: SessionCache) -> Judgement:
        """Say what the policy says, unless that is not no and the route is."""
        said = self._policy.judge(destination, method, cache)
        if said.verdict is Verdict.DENY or self._routes.way(destination) is not Exit.REFUSE:
            return said
        rule = self._routes.rule(destination)
        assert rule is not None, "only a route refuses"
        return replace(
            said,
            verdict=Verdict.DENY,
            source=Source.BASELINE_POLICY,
            reason=Reason.DENIED_BY_RULE,
            explanation=f"{destination.authority} is refused by route {rule.label}",
            rule=rule.label,
            hint=None,
            on_denial=None,
        )


def _is_local(host: str) -> bool:
    if is_address(host):
        return classify(host) is not AddressClass.PUBLIC
    return is_special_name(host)


def _names_local(rule: Rule) -> bool:
    pattern = rule.pattern
    return pattern.kind in _NAMING or (
        pattern.block is not None and is_wholly_special(pattern.block)
    )
