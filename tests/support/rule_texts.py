"""Hypothesis strategies for rules and destinations that have a chance to meet."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from netproxy.model import Destination, Protocol
from netproxy.policy.conditions import Condition
from netproxy.policy.rules import Effect, Rule, parse_rule

_labels = st.sampled_from(["a", "b", "api", "api-1", "x-y"])
_domains = st.sampled_from(["example.org", "a.example.org", "example.net", "b.co.uk"])
_names = st.builds(
    lambda labels, base: ".".join([*labels, base]), st.lists(_labels, max_size=3), _domains
)
_literals = st.sampled_from(
    [
        "10.0.0.1",
        "10.1.2.3",
        "127.0.0.1",
        "8.8.8.8",
        "8.8.4.4",
        "::1",
        "2606:4700::1",
        "fd00::1",
        "64:ff9b::808:808",
    ]
)
_blocks = st.sampled_from(
    [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "127.0.0.0/8",
        "8.8.0.0/16",
        "0.0.0.0/0",
        "fd00::/8",
        "::/0",
        "2600::/8",
    ]
)
_wildcards = st.builds(
    lambda head, base: f"{head}.{base}",
    st.sampled_from(["*", "**", "a*", "api-*", "*-*", "a.*", "*.a*", "*a*i*"]),
    _domains,
)
_ports = st.sampled_from(["", ":443", ":80", ":22", ":*", ":1-1024", ":400-500"])
_schemes = st.sampled_from(["", "", "", "https://", "http://", "socks5-tcp://", "tcp://"])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


texts = st.builds(
    lambda scheme, host, port: f"{scheme}{_bracketed(host)}{port}",
    _schemes,
    st.one_of(_names, _literals, _blocks, _wildcards, _wildcards, st.just("*")),
    _ports,
)
allows = texts.map(lambda text: parse_rule(text, Effect.ALLOW))
denies = texts.map(lambda text: parse_rule(text, Effect.DENY))
# With what only table rules have; the times are those that the tests compile for.
full_rules = st.builds(
    lambda rule, condition, expires_at: replace(rule, condition=condition, expires_at=expires_at),
    allows | denies,
    st.sampled_from([None, None, None, Condition(methods=("GET",))]),
    st.sampled_from([None, None, 10.0, 20.0]),
)
times = st.sampled_from([0.0, 9.9, 10.0, 19.9, 20.0])
rule_lists: st.SearchStrategy[list[Rule]] = st.lists(allows | denies, max_size=8)
destinations = st.builds(
    Destination,
    host=_names | _literals,
    port=st.sampled_from([22, 80, 443, 8443]),
    protocol=st.sampled_from(list(Protocol)),
)
