"""Policies in one line, a session that remembers what it is told, and a matcher without tricks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netproxy.model import ApprovalId, Destination, OnDenial, Protocol, Verdict
from netproxy.policy.addresses import parse_private_block
from netproxy.policy.blocks import Blocks
from netproxy.policy.engine import NO_HOST, Host, Policy, compile_policy
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
