"""The judgements that the engine makes: verdict, reason, and the sentence that explains it.

When each is due is for `engine` to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netproxy.model import Judgement, Protocol, Reason, Source, Verdict
from netproxy.policy import explain
from netproxy.policy.spec import Mode

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.rules import Rule

# Safe by RFC 9110 section 9.2.1, without TRACE, which echoes request fields.
_LIMITED_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(mode: Mode, destination: Destination, method: str) -> Judgement | None:
    """Refuse what the mode can't or won't let through, whatever the rules say."""
    if mode is Mode.OFF:
        return network_off()
    if destination.protocol is not Protocol.HTTP:
        said = explain.limited_needs_inspection(destination)
        return refusal(Reason.INSPECTION_REQUIRED, said, source=Source.MODE_GUARD)
    if method not in _LIMITED_METHODS:
        said = explain.method_refused(method)
        return refusal(Reason.METHOD_NOT_ALLOWED, said, source=Source.MODE_GUARD)
    return None


def denied_by_rule(destination: Destination, rule: Rule) -> Judgement:
    """Refuse for a deny rule, in its own way of doing so."""
    if rule.condition is not None:
        return _needs_inspection(destination, rule)
    return Judgement(
        verdict=Verdict.DENY,
        source=Source.BASELINE_POLICY,
        reason=Reason.DENIED_BY_RULE,
        explanation=explain.denied_by_rule(destination, rule),
        rule=rule.label,
        on_denial=rule.on_denial,
    )


def name_denied_by_rule(host: str, rule: Rule) -> Judgement:
    """Refuse the look-up of a name that a deny rule covers on every port."""
    return Judgement(
        verdict=Verdict.DENY,
        source=Source.BASELINE_POLICY,
        reason=Reason.DENIED_BY_RULE,
        explanation=explain.name_denied_by_rule(host, rule),
        rule=rule.label,
    )


def network_off() -> Judgement:
    """Refuse whatever it is."""
    return refusal(Reason.PROXY_DISABLED, explain.MODE_OFF, source=Source.MODE_GUARD)


def refusal(
    reason: Reason,
    explanation: str,
    *,
    source: Source = Source.BASELINE_POLICY,
    hint: str | None = None,
) -> Judgement:
    """Refuse without a rule."""
    return Judgement(
        verdict=Verdict.DENY,
        source=source,
        reason=reason,
        explanation=explanation,
        rule=None,
        hint=hint,
    )


def _needs_inspection(destination: Destination, rule: Rule) -> Judgement:
    """Refuse where a rule asks for what can't be seen: neither its yes nor its no is known."""
    return Judgement(
        verdict=Verdict.DENY,
        source=Source.BASELINE_POLICY,
        reason=Reason.INSPECTION_REQUIRED,
        explanation=explain.rule_needs_inspection(destination, rule),
        rule=rule.label,
    )


def allowed_by_rule(destination: Destination, rule: Rule) -> Judgement:
    """Let it through, unless the rule says more than can be seen."""
    if rule.condition is not None:
        return _needs_inspection(destination, rule)
    return Judgement(
        verdict=Verdict.ALLOW,
        source=Source.BASELINE_POLICY,
        reason=Reason.ALLOWED_BY_RULE,
        explanation="",
        rule=rule.label,
        on_denial=rule.on_denial,
    )


ALLOWED_BY_GRANT = Judgement(
    verdict=Verdict.ALLOW,
    source=Source.SESSION_CACHE,
    reason=Reason.ALLOWED_BY_GRANT,
    explanation="",
    rule=None,
)
# The profile's own line is the rule here; the closed set of reasons has no other word for it.
ALLOWED_BY_DEFAULT = Judgement(
    verdict=Verdict.ALLOW,
    source=Source.BASELINE_POLICY,
    reason=Reason.ALLOWED_BY_RULE,
    explanation="",
    rule='default = "allow"',
)
