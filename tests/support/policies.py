"""Policies in one line, a session that remembers what it is told, and a matcher without tricks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netproxy.model import ApprovalId, Destination, OnDenial, Protocol, Reason, Verdict
from netproxy.policy.addresses import embedded, parse_private_block
from netproxy.policy.blocks import Blocks, number_of, text_of
from netproxy.policy.engine import NO_HOST, Host, Policy, compile_policy, opens_local
from netproxy.policy.hosts import destination
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.patterns import Kind
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode, PolicySpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass
class Memory:
    """A session's cache, filled by hand."""

    denied: set[Destination] = field(default_factory=set)
    granted: set[Destination] = field(default_factory=set)

    def denial(self, destination: Destination) -> ApprovalId | None:
        return ApprovalId("a-no") if destination in self.denied else None

    def grant(self, destination: Destination) -> ApprovalId | None:
        return ApprovalId("a-yes") if destination in self.granted else None


def allow(text: str) -> Rule:
    return parse_rule(text, Effect.ALLOW, origin=Origin(layer=Layer.COMMAND_LINE, key="--allow #1"))


def deny(text: str) -> Rule:
    return parse_rule(text, Effect.DENY, origin=Origin(layer=Layer.COMMAND_LINE, key="--deny #1"))


def policy(  # one keyword a setting
    *rules: Rule,
    default: Verdict = Verdict.DENY,
    mode: Mode = Mode.FULL,
    on_denial: OnDenial = OnDenial.CANCEL,
    allow_private: Sequence[str] = (),
    ceiling: tuple[Rule, ...] | None = None,
    host: Host = NO_HOST,
    now: float = 0.0,
) -> Policy:
    spec = PolicySpec(
        rules=rules,
        default=default,
        mode=mode,
        on_denial=on_denial,
        allow_private=Blocks(parse_private_block(text) for text in allow_private),
        ceiling=ceiling,
    )
    return compile_policy(spec, now=now, host=host)


def to(text: str, protocol: Protocol = Protocol.HTTPS) -> Destination:
    """`to("example.org:443")`; IPv6 in brackets."""
    host, _, port = text.rpartition(":")
    return destination(host.strip("[]"), port, protocol)


def naive_match(rules: Iterable[Rule], asked: Destination) -> Rule | None:
    """Say what a list of rules says when each is looked at in turn."""
    for rule in rules:
        low_high = any(low <= asked.port <= high for low, high in rule.ports)
        if low_high and rule.protocol in {None, asked.protocol} and _host_matches(rule, asked.host):
            return rule
    return None


def naive_reason(
    rules: Iterable[Rule],
    asked: Destination,
    *,
    now: float,
) -> Reason:
    """Say why rules of every kind allow or refuse, for a session without memory, default deny."""
    live = [rule for rule in rules if rule.expires_at is None or now < rule.expires_at]
    local = policy().is_local(asked.host)
    for here in (asked, *_inner(asked)):
        if (rule := _plain_first(live, Effect.DENY, here, naming=False)) is not None:
            return Reason.INSPECTION_REQUIRED if rule.condition else Reason.DENIED_BY_RULE
    if (rule := _plain_first(live, Effect.ALLOW, asked, naming=local)) is not None:
        return Reason.INSPECTION_REQUIRED if rule.condition else Reason.ALLOWED_BY_RULE
    return Reason.NOT_ALLOWED_LOCAL if local else Reason.NOT_ALLOWED


def _plain_first(
    rules: Iterable[Rule], effect: Effect, asked: Destination, *, naming: bool
) -> Rule | None:
    matching = [
        rule
        for rule in rules
        if rule.effect is effect
        and naive_match([rule], asked)
        and (not naming or opens_local(rule))
    ]
    return min(matching, key=lambda rule: rule.condition is not None, default=None)


def _inner(asked: Destination) -> list[Destination]:
    """The same port of the addresses that an IPv6 form of IPv4 stands for."""
    if ":" not in asked.host:
        return []
    return [asked._replace(host=text_of(each)) for each in embedded(number_of(asked.host))]


def _host_matches(rule: Rule, host: str) -> bool:
    pattern = rule.pattern
    if pattern.kind is Kind.ANY:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if pattern.kind is Kind.BLOCK:
        return address is not None and address in ipaddress.ip_network(pattern.text.strip("[]"))
    if address is not None:
        return pattern.text.strip("[]") == host
    return _labels_match(pattern.text.split("."), host.split("."))


def _labels_match(pattern: list[str], labels: list[str]) -> bool:
    if pattern[0] == "**":
        return labels[-len(pattern[1:]) :] == pattern[1:]
    if pattern[0] == "*":
        extra = len(labels) - len(pattern)
        return extra >= 0 and all(map(label_matches, pattern[1:], labels[extra + 1 :]))
    return len(pattern) == len(labels) and all(map(label_matches, pattern, labels))


def label_matches(pattern: str, label: str) -> bool:
    if not pattern:
        return not label
    if pattern == "*":
        return True
    if pattern[0] == "*":
        return any(label_matches(pattern[1:], label[i:]) for i in range(len(label) + 1))
    return bool(label) and label[0] == pattern[0] and label_matches(pattern[1:], label[1:])
