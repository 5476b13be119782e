"""The compiled matcher says what a walk over all rules says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Protocol
from netproxy.policy.index import RuleIndex
from tests.support.policies import allow, deny, naive_match, to
from tests.support.rule_texts import allows, destinations

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.rules import Rule


@given(st.lists(allows, max_size=10), destinations)
def test_compiled_and_naive_agree_on_the_very_rule(rules: list[Rule], asked: Destination) -> None:
    found = RuleIndex(rules).match(asked)
    assert found is naive_match(rules, asked)


@given(allows, destinations, destinations)
def test_a_rule_never_matches_another_key_than_it_says(
    rule: Rule, one: Destination, other: Destination
) -> None:
    exact = allow(str(one))
    assert RuleIndex([exact]).match(one) is exact
    if other != one:
        assert RuleIndex([exact]).match(other) is None


def test_the_rule_written_first_is_named() -> None:
    first, second = allow("*.example.org"), allow("a.example.org")
    assert RuleIndex([first, second]).match(to("a.example.org:443")) is first
    assert RuleIndex([second, first]).match(to("a.example.org:443")) is second


def test_a_rule_for_the_host_explains_a_near_miss() -> None:
    rule = allow("example.org:443")
    assert RuleIndex([rule]).match(to("example.org:22")) is None
    assert RuleIndex([rule]).match_host("example.org") is rule
    assert RuleIndex([rule]).match_host("example.net") is None


def test_a_glob_is_found_below_its_fixed_end() -> None:
    rule = allow("api-*.example.org")
    assert RuleIndex([rule]).match(to("api-1.example.org:443")) is rule
    assert RuleIndex([rule]).match(to("www.example.org:443")) is None
    assert RuleIndex([rule]).match(to("example.org:443")) is None


def test_a_look_up_does_not_grow_with_the_number_of_rules() -> None:
    """A wide margin, so that a busy machine doesn't fail it; the exact figures are a benchmark."""

    def seconds(count: int) -> float:
        rules = [allow(f"*.h{number}.example.org") for number in range(count)]
        index, asked = RuleIndex(rules), to("a.h7.example.org:443")
        times = []
        for _ in range(200):
            start = time.perf_counter()
            index.match(asked)
            times.append(time.perf_counter() - start)
        return sorted(times)[100]

    assert seconds(5000) < seconds(50) * 10


def test_a_rule_for_every_port_is_found_without_one() -> None:
    some, other = deny("a.test:443"), deny("https://a.test")
    every, tree = deny("tcp://a.test:*"), deny("**.a.test")
    index = RuleIndex([some, other, every, tree])
    assert index.match_every_port("a.test", Protocol.TCP) is every
    assert index.match_every_port("a.test", Protocol.HTTPS) is other
    assert index.match_every_port("b.a.test", Protocol.TCP) is tree
    assert index.match_every_port("b.test", Protocol.TCP) is None
    assert RuleIndex([some]).match_every_port("a.test", Protocol.TCP) is None
