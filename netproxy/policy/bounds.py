"""What the managed file holds everybody to, and what holds a project. Pure.

A bound is checked where a layer speaks: what asks for more is a problem that names both places.
Nothing is clipped in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import OnDenial, Sni, Verdict
from netproxy.policy.addresses import LOOPBACK_BLOCKS
from netproxy.policy.blocks import number_of, single
from netproxy.policy.containment import Cover, names_local
from netproxy.policy.layers import LayerPolicy, Statement, merged
from netproxy.policy.origin import Layer
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode
from netproxy.policy.special import is_loopback_name
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netproxy.policy.audit_tables import SinkTable
    from netproxy.policy.blocks import Block
    from netproxy.policy.origin import Origin
    from netproxy.policy.spec import PolicySpec

# From strict to loose.
_MODES = (Mode.OFF, Mode.LIMITED, Mode.FULL)
_DEFAULTS = (Verdict.DENY, Verdict.ASK, Verdict.ALLOW)
_SNI = (Sni.REFUSE, Sni.RECORD)
_ON_DENIAL = (OnDenial.CANCEL, OnDenial.BLOCK)

# What `default = "allow"` comes to, as a rule.
_EVERYTHING = "*:*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The managed file. None: no such bound."""

    deny: tuple[Rule, ...] = ()  # in force before all other rules
    allow: Statement[tuple[Rule, ...]] | None = None  # the ceiling
    allow_private: Statement[tuple[Block, ...]] | None = None
    mode: Statement[Mode] | None = None
    on_denial: Statement[OnDenial] | None = None
    sni: Statement[Sni] | None = None
    may_ask: Statement[bool] | None = None
    max_scope: Statement[str] | None = None  # of a yes: the name of a scope
    max_seconds: Statement[float] | None = None  # of a grant's life
    sandbox_required: Statement[bool] | None = None
    sandbox_expose: Statement[bool] | None = None
    sandbox_unix: Statement[tuple[str, ...]] | None = None  # the most that may be given
    audit_mode: Statement[str] | None = None  # the loosest: "strict", "written", "best_effort"
    sinks: tuple[Statement[SinkTable], ...] = ()  # beside whatever others name

    @property
    def forbids_asking(self) -> bool:
        """Whether nobody may be asked."""
        return self.may_ask is not None and not self.may_ask.value

    @property
    def requires_sandbox(self) -> bool:
        """Whether nothing runs without one."""
        return self.sandbox_required is not None and self.sandbox_required.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRoom:
    """What the user lets trusted projects do: `[projects]`, and whatever the user allows anyway."""

    user: LayerPolicy
    allow: tuple[Rule, ...] = ()
    allow_private: tuple[Statement[Block], ...] = ()
    said_at: Origin | None = None  # where [projects] stands, or would


def bounded(layers: Iterable[LayerPolicy], bounds: Bounds) -> PolicySpec:
    """Lay layers over each other below the managed file, which none of them violates."""
    ceiling = None if bounds.allow is None else bounds.allow.value
    below = tuple(layers)
    return merged((*below, managed_layer(below, bounds)), first=bounds.deny, ceiling=ceiling)


def managed_layer(layers: Iterable[LayerPolicy], bounds: Bounds) -> LayerPolicy:
    """What the managed file itself sets: a value that nobody said is a default, and gives way.

    A mode as strict as the bound is the bound's, too: nobody can loosen it.
    """
    spec = merged(layers)
    default, mode = None, None
    if bounds.may_ask is not None and bounds.forbids_asking and spec.default is Verdict.ASK:
        default = Statement(Verdict.DENY, bounds.may_ask.origin)
    if bounds.mode is not None and _MODES.index(spec.mode) >= _MODES.index(bounds.mode.value):
        mode = bounds.mode
    return LayerPolicy(layer=Layer.MANAGED, mode=mode, default=default)


def managed_violations(layer: LayerPolicy, bounds: Bounds) -> Iterator[str]:
    """Say what of a layer goes beyond the managed settings."""
    if bounds.allow is not None:
        what = f"is outside what {bounds.allow.origin.place} lets anybody allow"
        yield from _outside(layer, Cover(bounds.allow.value), what)
    if bounds.allow_private is not None:
        what = f"is outside what {bounds.allow_private.origin.place} lets anybody open"
        yield from _outside_blocks(layer, bounds.allow_private.value, what)
        yield from _named_outside(layer, bounds, bounds.allow_private.value, what)
    if bounds.mode is not None and layer.mode is not None:
        yield from _looser(layer.mode, bounds.mode, _MODES)
    if bounds.on_denial is not None and bounds.on_denial.value is OnDenial.CANCEL:
        yield from _blocking(layer, f"{bounds.on_denial.origin.place} demands cancel")
    if bounds.sni is not None and layer.sni is not None:
        yield from _looser(layer.sni, bounds.sni, _SNI)
    asks = layer.default is not None and layer.default.value is Verdict.ASK
    if bounds.may_ask is not None and bounds.forbids_asking and layer.default is not None and asks:
        yield f"{layer.default.origin.place}: 'ask', but {bounds.may_ask.origin.place} forbids it"


def project_violations(project: LayerPolicy, room: ProjectRoom) -> Iterator[str]:
    """Say where a project's file would widen what its user allows."""
    given = room.said_at.place if room.said_at else "[projects]"
    user = merged([room.user])
    allowed = Cover([*_allowed(room.user), *room.allow])
    yield from _outside(project, allowed, f"is more than the user allows by rules or by {given}")
    opened = [each.value for each in (*room.user.allow_private, *room.allow_private)]
    what = f"is more than the user's allow_private, or that of {given}"
    yield from _outside_blocks(project, tuple(opened), what)
    yield from _less_strict(project.mode, user.mode, _MODES)
    yield from _less_strict(project.default, user.default, _DEFAULTS)
    yield from _less_strict(project.sni, user.sni, _SNI)
    if user.on_denial is OnDenial.CANCEL:
        yield from _blocking(project, "a project may only be stricter than 'cancel'")


def widened(project: LayerPolicy, user: LayerPolicy) -> Iterator[Rule | Block]:
    """Find what a project allows or opens and its user, outside of projects, does not."""
    allowed = Cover(_allowed(user))
    for rule in project.rules:
        if rule.effect is Effect.ALLOW and not allowed.covers(rule):
            yield rule
    for said in project.allow_private:
        if not any(opened.value.contains(said.value) for opened in user.allow_private):
            yield said.value


def _allowed(user: LayerPolicy) -> Iterator[Rule]:
    """What a user allows; a default of allow is a rule for everything."""
    yield from (rule for rule in user.rules if rule.effect is Effect.ALLOW)
    if user.default is not None and user.default.value is Verdict.ALLOW:
        yield parse_rule(_EVERYTHING, Effect.ALLOW)


def _outside(layer: LayerPolicy, cover: Cover, what: str) -> Iterator[str]:
    for rule in layer.rules:
        if rule.effect is Effect.ALLOW and not cover.covers(rule):
            yield f"{rule.origin.place}: {rule.text} {what}"
    default = layer.default
    if default is not None and default.value is Verdict.ALLOW:
        everything = parse_rule(_EVERYTHING, Effect.ALLOW)
        if not cover.covers(everything):
            yield f"{default.origin.place}: 'allow' {what}"


def _outside_blocks(layer: LayerPolicy, allowed: tuple[Block, ...], what: str) -> Iterator[str]:
    for said in layer.allow_private:
        if not any(block.contains(said.value) for block in allowed):
            yield f"{said.origin.place}: {said.value} {what}"


def _named_outside(
    layer: LayerPolicy, bounds: Bounds, allowed: tuple[Block, ...], what: str
) -> Iterator[str]:
    """Find the rules that open by name what may not be opened, unless the ceiling names it."""
    named = Cover(bounds.allow.value if bounds.allow else ())
    for rule in layer.rules:
        opened = _opened(rule) if rule.effect is Effect.ALLOW else ()
        beyond = [one for one in opened if not any(block.contains(one) for block in allowed)]
        if beyond and not named.covers(rule):
            yield f"{rule.origin.place}: {rule.text} {what}"


def _opened(rule: Rule) -> tuple[Block, ...]:
    """What is not public, and reached because this rule names it."""
    if not names_local(rule):
        return ()
    match rule.pattern.kind:
        case Kind.ADDRESS:
            return (single(number_of(rule.pattern.base)),)
        case Kind.EXACT if is_loopback_name(rule.pattern.base):
            return LOOPBACK_BLOCKS.blocks
        case _:
            return (rule.pattern.block,) if rule.pattern.block else ()


def _looser[Value](
    said: Statement[Value], bound: Statement[Value], order: tuple[Value, ...]
) -> Iterator[str]:
    if order.index(said.value) > order.index(bound.value):
        limit = f"{bound.origin.place} allows at most '{_word(bound.value)}'"
        yield f"{said.origin.place}: '{_word(said.value)}', but {limit}"


def _less_strict[Value](
    said: Statement[Value] | None, held: Value, order: tuple[Value, ...]
) -> Iterator[str]:
    if said is not None and order.index(said.value) > order.index(held):
        yield (
            f"{said.origin.place}: '{_word(said.value)}', "
            f"but a project may only be stricter than '{_word(held)}'"
        )


def _blocking(layer: LayerPolicy, but: str) -> Iterator[str]:
    """Find every `block`, of the layer and of its rules."""
    said = layer.on_denial
    if said is not None and said.value is OnDenial.BLOCK:
        yield f"{said.origin.place}: 'block', but {but}"
    for rule in layer.rules:
        if rule.on_denial is OnDenial.BLOCK:
            yield f"{rule.origin.place}: {rule.text} has on_denial 'block', but {but}"


def _word(value: object) -> str:
    return str(getattr(value, "value", value))
