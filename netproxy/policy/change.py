"""The smallest change that flips a verdict, found by trying it out. Pure.

Tried on a copy of the policy that has the rules for one host alone: no other matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Reason, Source, Verdict
from netproxy.policy import explain
from netproxy.policy.addresses import stands_for
from netproxy.policy.engine import compile_policy
from netproxy.policy.index import RuleIndex
from netproxy.policy.origin import Layer
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode, PolicySpec
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netproxy.model import ApprovalId, Destination, Judgement
    from netproxy.policy.engine import Policy
    from netproxy.policy.origin import Origin
    from netproxy.ports import SessionCache


class NothingRemembered:
    """The cache of a session in which nobody has answered anything."""

    def denial(self, _destination: Destination) -> ApprovalId | None:
        """No no."""
        return None

    def grant(self, _destination: Destination) -> ApprovalId | None:
        """No yes."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The smallest change that flips the verdict; none where `obstacle` says whose it is."""

    remove: tuple[Rule, ...] = ()
    flag: str | None = None  # for the command line
    line: str | None = None  # the same for a settings file
    needs_full_mode: bool = False
    mode_at: Origin | None = None  # who said another mode, where that is known
    obstacle: str | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it takes another mode than the managed settings let anybody have."""
        return self.needs_full_mode and (
            self.mode_at is not None and self.mode_at.layer is Layer.MANAGED
        )

    @property
    def is_possible(self) -> bool:
        """Whether whoever asks can make it."""
        return self.obstacle is None and not self.is_bounded

    @property
    def text(self) -> str:
        """One clause that a person can follow."""
        if self.obstacle is not None:
            return self.obstacle
        if self.is_bounded:
            return "none: the managed settings set this mode"
        places = dict.fromkeys(f"remove {rule.effect.value} {rule.label}" for rule in self.remove)
        where = f" ({self.mode_at})" if self.mode_at else ""
        mode = [f'set mode = "full"{where}'] if self.needs_full_mode else []
        return ", and ".join([*places, *mode, *([self.flag] if self.flag else [])])


def rules_about(rules: Iterable[Rule], host: str) -> list[Rule]:
    """Return the rules whose pattern matches the host, expired ones too.

    A deny of an IPv4 address is about the IPv6 ones that stand for it; an allow is not.
    """
    forms = stands_for(host)
    # First what is cheap: with 100,000 rules nearly all are about another host.
    likely = (
        rule
        for rule in rules
        if not rule.pattern.base
        or rule.pattern.base in forms
        or host.endswith(f".{rule.pattern.base}")
    )
    return [rule for rule in likely if _is_about(rule, forms)]


def _is_about(rule: Rule, forms: tuple[str, ...]) -> bool:
    asked = forms if rule.effect is Effect.DENY else forms[:1]
    index = RuleIndex((rule,))
    return any(index.match_host(host) is not None for host in asked)


def smallest_change(
    policy: Policy, destination: Destination, method: str, *, now: float, cache: SessionCache
) -> Change:
    """Return what flips the verdict. `now` in seconds since the epoch."""
    judgement = policy.judge(destination, method, cache)
    if judgement.verdict is Verdict.ALLOW:
        return _with_line(Change(flag=explain.deny_flag(destination)), destination)
    return _Changes(policy, destination, method, now=now, cache=cache).opening(judgement)


class _Changes:
    """Tries changes out until everything is allowed."""

    def __init__(
        self,
        policy: Policy,
        destination: Destination,
        method: str,
        *,
        now: float,
        cache: SessionCache,
    ) -> None:
        about = rules_about(policy.spec.rules, destination.host)
        self._policy = policy
        self._spec: PolicySpec = replace(policy.spec, rules=tuple(about))
        self._destination = destination
        self._method = method
        self._cache = cache
        self._now = now

    def opening(self, judgement: Judgement) -> Change:
        """Return what turns a judgement into an allow."""
        change = self._next(judgement, Change())
        while change.obstacle is None and (left := self._judge()).verdict is not Verdict.ALLOW:
            change = self._next(left, change)
        return change if change.obstacle else _with_line(change, self._destination)

    def _judge(self) -> Judgement:
        tried = compile_policy(self._spec, now=self._now, host=self._policy.host)
        return tried.judge(self._destination, self._method, self._cache)

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
