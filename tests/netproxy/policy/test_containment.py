"""One rule lies within others: never said of a rule that lets more through than they do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netproxy.policy.conditions import Condition
from netproxy.policy.containment import Cover, covers, pattern_covers
from netproxy.policy.index import RuleIndex
from netproxy.policy.patterns import parse_pattern
from tests.support.policies import allow, policy, to
from tests.support.rule_texts import allows, destinations

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.rules import Rule

POST = Condition(methods=("POST",))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        pytest.param("*", "*", id="everything in everything"),
        pytest.param("*", "example.org", id="a name in everything"),
        pytest.param("*", "**.example.org", id="a tree in everything"),
        pytest.param("*", "10.0.0.0/8", id="a block in everything"),
        pytest.param("example.org", "Example.org.", id="a name in itself"),
        pytest.param("*.example.org", "a.b.example.org", id="a name below"),
        pytest.param("*.example.org", "*.example.org", id="below in itself"),
        pytest.param("*.example.org", "*.a.example.org", id="below in what is above"),
        pytest.param("*.example.org", "**.a.example.org", id="a tree in what is above"),
        pytest.param("*.example.org", "a*.example.org", id="a glob in what is below its base"),
        pytest.param("**.example.org", "example.org", id="the top of a tree"),
        pytest.param("**.example.org", "*.example.org", id="below in its tree"),
        pytest.param("**.example.org", "**.example.org", id="a tree in itself"),
        pytest.param("**.example.org", "a.*.example.org", id="a glob in a tree"),
        pytest.param("a*.example.org", "ab.example.org", id="a name in a glob"),
        pytest.param("a*.example.org", "ab*.example.org", id="a narrower glob"),
        pytest.param("a*.example.org", "a*c.example.org", id="a glob with a longer end"),
        pytest.param("*.*.example.org", "*.a.example.org", id="below in two stars"),
        pytest.param("*.*.example.org", "**.a.b.example.org", id="a deep tree in two stars"),
        pytest.param("*.a*.example.org", "*.x.ab.example.org", id="below under a glob"),
        pytest.param("10.0.0.0/8", "10.1.2.3", id="an address in a block"),
        pytest.param("10.0.0.0/8", "10.1.0.0/16", id="a block in a block"),
        pytest.param("10.1.2.3", "10.1.2.3/32", id="a block of one in an address"),
        pytest.param("10.1.2.3/32", "10.1.2.3", id="an address in a block of one"),
        pytest.param("::ffff:10.0.0.0/104", "10.1.2.3", id="an address in a mapped block"),
        pytest.param("fd00::/8", "fd00::1", id="IPv6"),
    ],
)
def test_within(outer: str, inner: str) -> None:
    assert pattern_covers(parse_pattern(outer), parse_pattern(inner))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        pytest.param("**.example.org", "*", id="everything in a tree"),
        pytest.param("0.0.0.0/0", "*", id="everything in all of IPv4"),
        pytest.param("0.0.0.0/0", "::/0", id="IPv6 in IPv4"),
        pytest.param("example.org", "example.net", id="another name"),
        pytest.param("example.org", "*.example.org", id="below in a name"),
        pytest.param("example.org", "**.example.org", id="a tree in its top"),
        pytest.param("*.example.org", "example.org", id="the top in what is below"),
        pytest.param("*.example.org", "**.example.org", id="a tree in what is below its top"),
        pytest.param("*.example.org", "badexample.org", id="a name that only ends alike"),
        pytest.param("**.example.org", "**.badexample.org", id="a tree that only ends alike"),
        pytest.param("**.a.example.org", "*.example.org", id="below in one of its branches"),
        pytest.param("a*.example.org", "*.example.org", id="below in a glob"),
        pytest.param("a*.example.org", "**.ab.example.org", id="a tree whose top a glob matches"),
        pytest.param("a*.example.org", "*a.example.org", id="another glob"),
        pytest.param("a*.example.org", "b.a*.example.org", id="a glob of more labels"),
        pytest.param("a*b.example.org", "a*.example.org", id="a wider glob"),
        pytest.param("*.*.example.org", "*.example.org", id="one label in two"),
        pytest.param("*.*.example.org", "**.a.example.org", id="a tree in what needs two more"),
        pytest.param("10.1.0.0/16", "10.0.0.0/8", id="a wider block"),
        pytest.param("10.1.2.3", "10.1.2.2/31", id="two addresses in one"),
        pytest.param("10.0.0.0/8", "11.0.0.1", id="an address outside"),
        pytest.param("::/0", "10.0.0.1", id="IPv4 in IPv6"),
        pytest.param("10.0.0.0/8", "example.org", id="a name in a block"),
        pytest.param("**.example.org", "10.0.0.1", id="an address in a tree"),
    ],
)
def test_not_within(outer: str, inner: str) -> None:
    assert not pattern_covers(parse_pattern(outer), parse_pattern(inner))


@pytest.mark.parametrize(
    ("outers", "inner"),
    [
        pytest.param(["example.org"], "example.org:443", id="a port of two"),
        pytest.param(["example.org:80", "example.org:443"], "example.org", id="a port each"),
        pytest.param(
            ["*:1-100", "**.example.org:101-200"], "example.org:50-150", id="ranges that meet"
        ),
        pytest.param(["*:1-150", "*:100-200"], "example.org:50-180", id="ranges that overlap"),
        pytest.param(["example.org:*"], "https://example.org", id="a protocol of five"),
        pytest.param(
            ["http://*", "https://*", "socks5-tcp://*", "socks5-udp://*", "tcp://*"],
            "example.org",
            id="five protocols make any",
        ),
        pytest.param(["*"], "8.8.8.8", id="a public address in everything"),
        pytest.param(["8.0.0.0/7"], "8.8.0.0/16", id="a public block"),
        pytest.param(["127.0.0.0/8:*"], "127.0.0.1:5432", id="a local address in a local block"),
        pytest.param(["10.1.2.3"], "10.1.2.3/32", id="a block of one in its address"),
        pytest.param(["localhost:*"], "localhost:80", id="a special name in itself"),
        pytest.param(["*", "127.0.0.1"], "127.0.0.1", id="local beside everything"),
    ],
)
def test_covered(outers: list[str], inner: str) -> None:
    assert covers(map(allow, outers), allow(inner))
    assert Cover(map(allow, outers)).covers(allow(inner))


@pytest.mark.parametrize(
    ("outers", "inner"),
    [
        pytest.param([], "example.org", id="nothing covers"),
        pytest.param(["example.org"], "example.org:22", id="another port"),
        pytest.param(["example.org"], "example.org:80-443", id="a hole between ports"),
        pytest.param(["*:1-99", "*:101-200"], "example.org:50-150", id="one port missing"),
        pytest.param(["https://example.org"], "example.org", id="any protocol in one"),
        pytest.param(["https://example.org"], "http://example.org", id="another protocol"),
        pytest.param(
            ["http://*:443", "https://*:80"], "https://example.org", id="the other's port"
        ),
        pytest.param(["a.example.org", "b.example.org"], "*.example.org", id="names in part"),
        pytest.param(["*:*"], "127.0.0.1:80", id="everything is nothing local"),
        pytest.param(["*:*"], "localhost:80", id="everything is no special name"),
        pytest.param(["**.example.internal:*"], "a.example.internal", id="nor is a wildcard"),
        pytest.param(["0.0.0.0/0:*"], "10.0.0.0/8:80", id="nor is a range with more than local"),
        pytest.param(["[::/0]:*"], "[::1]:80", id="nor is all of IPv6"),
    ],
)
def test_not_covered(outers: list[str], inner: str) -> None:
    assert not covers(map(allow, outers), allow(inner))
    assert not Cover(map(allow, outers)).covers(allow(inner))


def test_a_condition_covers_itself_and_no_condition_covers_all() -> None:
    plain = allow("example.org")
    posting = replace(plain, condition=POST)
    getting = replace(plain, condition=Condition(methods=("GET",)))
    assert covers([plain], posting)
    assert covers([posting], posting)
    assert not covers([posting], plain)
    assert not covers([getting], posting)


def test_a_rule_that_expires_covers_only_what_expires_no_later() -> None:
    forever = allow("example.org")
    early, late = replace(forever, expires_at=1.0), replace(forever, expires_at=2.0)
    assert covers([forever], late)
    assert covers([late], early)
    assert covers([late], late)
    assert not covers([early], late)
    assert not covers([late], forever)


@given(st.lists(allows, max_size=6), allows)
def test_the_index_and_a_walk_agree(outers: list[Rule], inner: Rule) -> None:
    walked = [rule for rule in outers if pattern_covers(rule.pattern, inner.pattern)]
    assert [id(rule) for rule in RuleIndex(outers).covering(inner.pattern)] == list(map(id, walked))
    assert Cover(outers).covers(inner) is covers(outers, inner)


@given(st.lists(allows, max_size=6), allows, st.lists(destinations, min_size=1, max_size=20))
@example([allow("**.example.org")], allow("*.example.org"), [to("a.example.org:443")])
def test_what_is_covered_lets_nothing_more_through(
    outers: list[Rule], inner: Rule, asked: list[Destination]
) -> None:
    if not covers(outers, inner):
        return
    inside, bound = policy(inner), policy(*outers)
    for each in asked:
        if inside.allow_rule(each) is not None:
            assert bound.allow_rule(each) is not None


@given(allows)
def test_every_rule_covers_itself(rule: Rule) -> None:
    assert covers([rule], rule)


@given(allows, allows, allows)
def test_what_covers_a_cover_covers(outer: Rule, middle: Rule, inner: Rule) -> None:
    if covers([outer], middle) and covers([middle], inner):
        assert covers([outer], inner)


@pytest.mark.unmeasured
def test_many_rules_are_checked_at_once() -> None:
    """A wide margin for a busy machine: comparing each with each would take a minute."""
    many = [allow(f"h{number}.example.org") for number in range(10_000)]
    start = time.thread_time()
    one, other = Cover([allow("**.example.org")]), Cover(many)
    assert all(one.covers(rule) and other.covers(rule) for rule in many)
    assert covers(many, many[-1])
    assert time.thread_time() - start < 10
