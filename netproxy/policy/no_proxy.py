"""NO_PROXY, as curl and Go read it: what does not go through the environment's proxy. Pure.

    example.org,.corp.example,10.0.0.0/8,[::1],build.example:8080   or   *

A name stands for itself and all below, with a leading dot or `*.` or without.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.policy.hosts import canonical_host, is_address
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.patterns import Kind, Pattern, parse_pattern
from netproxy.policy.rules import ANY_PORT, Effect, Rule, parse_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

# Only in brackets an address of IPv6 has a port behind it: bare, its last group looks like one.
_ENTRY = re.compile(r"(\[[^\]]+\]|[^:]+|(?!\[)[^:]*:[^:]*:.*)(?::([0-9]+))?")
_BETWEEN = re.compile(r"[,\s]+")


def parse_no_proxy(text: str) -> tuple[Rule, ...]:
    """Read every entry as a rule. Raises `InvalidRule` for one that can't be."""
    return tuple(_rules(text))


def _rules(text: str) -> Iterator[Rule]:
    for entry in filter(None, _BETWEEN.split(text)):
        parts = _ENTRY.fullmatch(entry)
        if parts is None:
            raise InvalidRule(f"NO_PROXY: {entry!r} is no host")
        try:
            pattern = _pattern(parts[1])
            ports = parse_ports(parts[2]) if parts[2] else ANY_PORT
        except (InvalidDestination, InvalidRule) as error:
            raise InvalidRule(f"NO_PROXY: {error}") from None
        yield Rule(
            effect=Effect.ALLOW,
            pattern=pattern,
            protocol=None,
            ports=(ports,),
            text=entry,
            origin=Origin(layer=Layer.USER, key="NO_PROXY"),
        )


def _pattern(text: str) -> Pattern:
    bare = text.strip("[]")
    if bare == "*" or "/" in bare:
        return parse_pattern(bare)
    # Not a rule's wildcard: nothing is allowed by it, so it may cover a public suffix.
    host = canonical_host(bare.removeprefix("*").removeprefix("."))
    if is_address(host):
        return parse_pattern(host)
    return Pattern(kind=Kind.TREE, text=f"**.{host}", base=host)
