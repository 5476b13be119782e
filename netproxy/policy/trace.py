"""How a verdict came about: the steps it passed, who says what, and what would flip it. Pure.

The verdict is `Policy.judge`'s own; here it is only told. What would flip it is found in
`netproxy.policy.change`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netproxy.model import Reason, Source
from netproxy.policy import explain
from netproxy.policy.change import (
    NothingRemembered,
    rules_about,
    smallest_change,
)
from netproxy.policy.hosts import is_address
from netproxy.policy.layers import Statement
from netproxy.policy.origin import Layer
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule
from otel.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netproxy.model import Destination, Judgement
    from netproxy.policy.addresses import AddressClass
    from netproxy.policy.change import Change
    from netproxy.policy.engine import Policy
    from netproxy.policy.layers import LayerPolicy
    from netproxy.ports import SessionCache

# More of them explain nothing.
_NEAR = 5


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


def trace(  # noqa: PLR0913  # what a verdict depends on, by keyword
    policy: Policy,
    destination: Destination,
    method: str,
    *,
    now: float,
    cache: SessionCache | None = None,
    layers: Sequence[LayerPolicy] = (),
) -> Trace:
    """Judge, and tell how. `now` in seconds since the epoch; no cache: nothing is remembered.

    `layers` is what the policy was made from, weakest first: it says who set mode and default.
    """
    memory = cache or NothingRemembered()
    scalars = _scalars(layers)
    judgement = policy.judge(destination, method, memory)
    about = rules_about(policy.spec.rules, destination.host)
    return Trace(
        destination=destination,
        method=method,
        judgement=judgement,
        kind=policy.kind(destination.host) if is_address(destination.host) else None,
        rule=_deciding_rule(policy, destination, judgement),
        steps=_steps(policy, destination, judgement, now),
        layers=tuple(_layers(policy, about, destination, now, scalars)),
        near=tuple(_near(policy, about, destination, now))[:_NEAR],
        change=replace(
            smallest_change(policy, destination, method, now=now, cache=memory),
            mode_at=scalars["mode"].origin if "mode" in scalars else None,
        ),
    )


def _scalars(layers: Sequence[LayerPolicy]) -> dict[str, Statement[str]]:
    """Return who said what holds: the strongest layer that said anything."""
    said: dict[str, Statement[str]] = {}
    for layer in layers:
        if layer.default is not None:
            said["default"] = Statement(layer.default.value.value, layer.default.origin)
        if layer.mode is not None:
            said["mode"] = Statement(layer.mode.value.value, layer.mode.origin)
    return said


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
    policy: Policy,
    about: list[Rule],
    destination: Destination,
    now: float,
    scalars: dict[str, Statement[str]],
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
        said += [
            f'{key} = "{scalar.value}" ({scalar.origin})'
            for key, scalar in scalars.items()
            if scalar.origin.layer is layer
        ]
        if said:
            yield layer, tuple(dict.fromkeys(said))
    rest = {"default": policy.spec.default.value, "mode": policy.spec.mode.value}
    left = tuple(f'{key} = "{value}"' for key, value in rest.items() if key not in scalars)
    if left:
        yield Layer.DEFAULTS, left


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
