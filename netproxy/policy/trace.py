"""How a verdict came about: the steps it passed, who says what, and what would flip it. Pure.

The verdict is `Policy.judge`'s own; here it is only told. What would flip it is tried out on a copy
of the policy that holds the rules for this host alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netproxy.model import Reason, Source, Verdict
from netproxy.policy import explain
from netproxy.policy.engine import compile_policy
from netproxy.policy.hosts import is_address
from netproxy.policy.index import RuleIndex
from netproxy.policy.origin import Layer
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode, PolicySpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netproxy.model import ApprovalId, Destination, Judgement
    from netproxy.policy.addresses import AddressClass
    from netproxy.policy.engine import Policy
    from netproxy.ports import SessionCache

# More of them explain nothing.
_NEAR = 5


class NothingRemembered:
    """The cache of a session in which nobody has answered anything."""

    def denial(self, _destination: Destination) -> ApprovalId | None:
        """No no."""
        return None

    def grant(self, _destination: Destination) -> ApprovalId | None:
        """No yes."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the order, and what was found there. The last one decides."""

    name: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A rule for the same host that says nothing about this destination, and why not."""

    rule: Rule
    lacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The smallest change that flips the verdict; none where `obstacle` says whose it is."""

    remove: tuple[Rule, ...] = ()
    flag: str | None = None  # for the command line
    line: str | None = None  # the same for a settings file
    needs_full_mode: bool = False
    obstacle: str | None = None

    @property
    def text(self) -> str:
        """One clause that a person can follow."""
        if self.obstacle is not None:
            return self.obstacle
        places = dict.fromkeys(f"remove {rule.effect.value} {rule.label}" for rule in self.remove)
        parts = [*places, *(['set mode = "full"'] if self.needs_full_mode else [])]
        return ", and ".join([*parts, *([self.flag] if self.flag else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything there is to say about one destination."""

    destination: Destination
    method: str
    judgement: Judgement
    kind: AddressClass | None  # of a literal; None for a name
    rule: Rule | None  # the one that decided
    steps: tuple[Step, ...]
    layers: tuple[
        tuple[Layer, tuple[str, ...]], ...
    ]  # strongest first; who says nothing is left out
    near: tuple[NearMiss, ...]
    change: Change


def trace(
    policy: Policy,
    destination: Destination,
    method: str,
    *,
    now: float,
    cache: SessionCache | None = None,
) -> Trace:
    """Judge, and tell how. `now` in seconds since the epoch; no cache: nothing is remembered."""
    memory = cache or NothingRemembered()
    judgement = policy.judge(destination, method, memory)
    about = _about(policy.spec.rules, destination.host)
    return Trace(
        destination=destination,
        method=method,
        judgement=judgement,
        kind=policy.kind(destination.host) if is_address(destination.host) else None,
        rule=_deciding_rule(policy, destination, judgement),
        steps=_steps(policy, destination, judgement, now),
        layers=tuple(_layers(policy, about, destination, now)),
        near=tuple(_near(policy, about, destination, now))[:_NEAR],
        change=_Changes(policy, about, destination, method, memory, now).smallest(judgement),
    )


def _about(rules: Iterable[Rule], host: str) -> list[Rule]:
    """Return the rules whose pattern matches the host, expired ones too."""
    # First what is cheap: with 100,000 rules nearly all are about another host.
    likely = (
        rule
        for rule in rules
        if not rule.pattern.base
        or rule.pattern.base == host
        or host.endswith(f".{rule.pattern.base}")
    )
    return [rule for rule in likely if RuleIndex((rule,)).match_host(host) is not None]


def _deciding_rule(policy: Policy, destination: Destination, judgement: Judgement) -> Rule | None:
    """Return the rule itself, of which a judgement has only the words."""
    if judgement.rule is None:
        return None
    return policy.deny_rule(destination) or policy.allow_rule(destination)


def _steps(
    policy: Policy, destination: Destination, judgement: Judgement, now: float
) -> tuple[Step, ...]:
    """Tell the order up to the step that decides (design section 5)."""
    every = dict(_all_steps(policy, destination, judgement, now))
    last = list(every).index(_deciding_step(policy, destination, judgement))
    return tuple(Step(name=name, found=found) for name, found in every.items())[: last + 1]


_MANAGED_DENY, _DENY, _MODE = "managed deny rules", "deny rules", "mode"
_ADDRESS, _SESSION_NO, _ALLOW = "address", "session's no", "allow rules"
_CEILING, _SESSION_YES, _DEFAULT = "managed ceiling", "session's yes", "default"

_BY_REASON = {
    Reason.METHOD_NOT_ALLOWED: _MODE,
    Reason.PROXY_DISABLED: _MODE,
    Reason.NOT_ALLOWED_LOCAL: _ADDRESS,
    Reason.DENIED_BY_SESSION: _SESSION_NO,
    Reason.ALLOWED_BY_GRANT: _SESSION_YES,
}


def _deciding_step(policy: Policy, destination: Destination, judgement: Judgement) -> str:
    if judgement.source is Source.MODE_GUARD:
        return _MODE
    if judgement.reason in _BY_REASON:
        return _BY_REASON[judgement.reason]
    if (denial := policy.deny_rule(destination)) is not None:
        return _MANAGED_DENY if denial.origin.layer is Layer.MANAGED else _DENY
    if policy.allow_rule(destination) is not None:
        return _ALLOW
    return _DEFAULT if policy.is_below_ceiling(destination) else _CEILING


def _all_steps(
    policy: Policy, destination: Destination, judgement: Judgement, now: float
) -> Iterator[tuple[str, str]]:
    denial, allowed = policy.deny_rule(destination), policy.allow_rule(destination)
    live = [rule for rule in policy.spec.rules if not rule.is_expired(now)]
    denying = [rule.origin.layer for rule in live if rule.effect is Effect.DENY]
    managed = sum(layer is Layer.MANAGED for layer in denying)
    is_managed = denial is not None and denial.origin.layer is Layer.MANAGED
    yield _MANAGED_DENY, _matched(denial if is_managed else None, managed)
    yield _DENY, _matched(denial, len(denying) - managed)
    guarded = judgement.source is Source.MODE_GUARD
    yield _MODE, judgement.explanation if guarded else str(policy.spec.mode)
    yield _ADDRESS, _address(policy, destination, judgement)
    remembered = judgement.explanation if judgement.reason is Reason.DENIED_BY_SESSION else "none"
    yield _SESSION_NO, remembered
    yield _ALLOW, _matched(allowed, len(live) - len(denying))
    yield _CEILING, _ceiling(policy, destination)
    granted = judgement.reason is Reason.ALLOWED_BY_GRANT
    yield _SESSION_YES, "the session remembers a yes" if granted else "none"
    yield _DEFAULT, policy.spec.default.value


def _matched(rule: Rule | None, count: int) -> str:
    if rule is None:
        return f"none of {count} matches" if count else "there are none"
    needs = ", which takes inspection" if rule.condition is not None else ""
    return f"{rule.label} matches{needs}"


def _address(policy: Policy, destination: Destination, judgement: Judgement) -> str:
    if judgement.reason is Reason.NOT_ALLOWED_LOCAL:
        return judgement.explanation
    if is_address(destination.host):
        kind = explain.described(policy.kind(destination.host))
        return f"{kind}, which a rule names" if policy.is_local(destination.host) else kind
    if policy.is_local(destination.host):
        return "a local name, which a rule names"
    return "a name: what it resolves to is judged before the dial"


def _ceiling(policy: Policy, destination: Destination) -> str:
    if policy.spec.ceiling is None:
        return "there is none"
    return "inside" if policy.is_below_ceiling(destination) else explain.above_ceiling(destination)


def _layers(
    policy: Policy, about: list[Rule], destination: Destination, now: float
) -> Iterator[tuple[Layer, tuple[str, ...]]]:
    """Say which layers have a rule for this destination; the rest is nobody's but the defaults'."""
    holding = [
        rule
        for rule in about
        if rule.covers(destination.protocol, destination.port) and not rule.is_expired(now)
    ]
    for layer in (Layer.MANAGED, Layer.USER, Layer.PROJECT, Layer.COMMAND_LINE):
        said = [f"{r.effect.value} {r.label}" for r in holding if r.origin.layer is layer]
        if layer is Layer.MANAGED and not policy.is_below_ceiling(destination):
            said.append(explain.above_ceiling(destination))
        if said:
            yield layer, tuple(dict.fromkeys(said))
    yield Layer.DEFAULTS, (f"default = {policy.spec.default.value}", f"mode = {policy.spec.mode}")


def _near(
    policy: Policy, about: list[Rule], destination: Destination, now: float
) -> Iterator[NearMiss]:
    for rule in about:
        if (lacks := _lack(policy, rule, destination, now)) is not None:
            yield NearMiss(rule=rule, lacks=lacks)


def _lack(policy: Policy, rule: Rule, destination: Destination, now: float) -> str | None:
    """Say what keeps a rule for the host from being one for the destination."""
    if rule.expires_at is not None and rule.is_expired(now):
        return f"expired {datetime.fromtimestamp(rule.expires_at, UTC):%Y-%m-%d %H:%M}Z"
    if rule.protocol not in {None, destination.protocol}:
        return f"is for protocol {rule.protocol}"
    if not rule.covers(destination.protocol, destination.port):
        ranges = (f"{low}" if low == high else f"{low}-{high}" for low, high in rule.ports)
        return f"is for port {', '.join(ranges)}"
    is_wide = rule.effect is Effect.ALLOW and rule.pattern.kind not in {Kind.EXACT, Kind.ADDRESS}
    if is_wide and policy.is_local(destination.host) and policy.allow_rule(destination) is None:
        return "does not name it, and no wildcard opens what is local"
    return None


class _Changes:
    """Tries changes out until the verdict flips."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a trace is about, kept together
        self,
        policy: Policy,
        about: list[Rule],
        destination: Destination,
        method: str,
        memory: SessionCache,
        now: float,
    ) -> None:
        self._policy = policy
        self._spec: PolicySpec = replace(policy.spec, rules=tuple(about))
        self._destination = destination
        self._method = method
        self._memory = memory
        self._now = now

    def smallest(self, judgement: Judgement) -> Change:
        """Return what flips this judgement."""
        if judgement.verdict is Verdict.ALLOW:
            return _with_line(Change(flag=explain.deny_flag(self._destination)), self._destination)
        change = self._next(judgement, Change())
        while change.obstacle is None and (left := self._judge()).verdict is not Verdict.ALLOW:
            change = self._next(left, change)
        return change if change.obstacle else _with_line(change, self._destination)

    def _judge(self) -> Judgement:
        tried = compile_policy(self._spec, now=self._now, host=self._policy.host)
        return tried.judge(self._destination, self._method, self._memory)

    def _next(self, judgement: Judgement, change: Change) -> Change:
        """Take away what stands in the way first."""
        if judgement.source is Source.MODE_GUARD:
            self._spec = replace(self._spec, mode=Mode.FULL)
            return replace(change, needs_full_mode=True)
        if judgement.reason is Reason.DENIED_BY_SESSION:
            return Change(obstacle="none: the session remembers a no until it ends")
        if denying := self._matching(Effect.DENY):
            return self._without(denying, change)
        if change.flag is not None:
            return Change(obstacle="none: the gateway does not proxy to itself")
        if not self._policy.is_below_ceiling(self._destination):
            return Change(obstacle="none: the managed settings set this bound")
        rule = parse_rule(str(self._destination), Effect.ALLOW)
        self._spec = replace(self._spec, rules=(*self._spec.rules, rule))
        return replace(change, flag=explain.allow_flag(self._destination))

    def _without(self, denying: list[Rule], change: Change) -> Change:
        if any(rule.origin.layer is Layer.MANAGED for rule in denying):
            return Change(obstacle="none: the managed settings deny it")
        kept = tuple(rule for rule in self._spec.rules if rule not in denying)
        self._spec = replace(self._spec, rules=kept)
        return replace(change, remove=(*change.remove, *denying))

    def _matching(self, effect: Effect) -> list[Rule]:
        there = self._destination
        return [
            rule
            for rule in self._spec.rules
            if rule.effect is effect
            and rule.covers(there.protocol, there.port)
            and not rule.is_expired(self._now)
        ]


def _with_line(change: Change, destination: Destination) -> Change:
    """Add what a settings file would say in the place of the flag."""
    if change.flag is None:
        return change
    key = change.flag.partition(" ")[0].removeprefix("--")
    return replace(change, line=f'{key} = ["{destination}"]')
