"""The decision and its order (the contract), and what remains of a resolver's answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Destination, OnDenial, Protocol, Reason, Source, Verdict
from netproxy.policy.addresses import AddressClass
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.engine import Host
from netproxy.policy.rules import Effect, Rule
from netproxy.policy.spec import Mode
from tests.support.policies import Memory, allow, deny, naive_match, policy, to
from tests.support.rule_texts import denies, destinations, rule_lists

NOTHING = Memory()
A = "example.org:443"


def test_no_rule_takes_the_default() -> None:
    for default in (Verdict.DENY, Verdict.ASK):
        said = policy(default=default).judge(to(A), "CONNECT", NOTHING)
        assert (said.verdict, said.reason) == (default, Reason.NOT_ALLOWED)
        assert said.source is Source.BASELINE_POLICY
        assert said.explanation == "no rule matches example.org:443"
        assert said.hint == "--allow https://example.org:443"
        assert said.rule is None


def test_a_default_of_allow_allows_and_names_itself() -> None:
    said = policy(default=Verdict.ALLOW).judge(to(A), "CONNECT", NOTHING)
    assert (said.verdict, said.reason) == (Verdict.ALLOW, Reason.ALLOWED_BY_RULE)
    assert said.rule == 'default = "allow"'


def test_an_allow_rule_allows_and_is_named() -> None:
    said = policy(allow("example.org")).judge(to(A), "CONNECT", NOTHING)
    assert (said.verdict, said.reason) == (Verdict.ALLOW, Reason.ALLOWED_BY_RULE)
    assert said.rule == "example.org (--allow #1)"


def test_deny_beats_allow_however_specific_and_whatever_the_session_granted() -> None:
    strict = policy(allow("https://example.org:443"), deny("**.example.org"))
    said = strict.judge(to(A), "CONNECT", Memory(granted={to(A)}))
    assert (said.verdict, said.reason) == (Verdict.DENY, Reason.DENIED_BY_RULE)
    assert said.rule == "**.example.org (--deny #1)"
    assert said.explanation == "example.org:443 is denied by rule **.example.org (--deny #1)"
    assert said.hint is None


def test_a_deny_of_everything_is_everything() -> None:
    strict = policy(deny("*"), allow(A), default=Verdict.ALLOW)
    for host in (A, "127.0.0.1:80", "[::1]:80", "localhost:80"):
        assert strict.judge(to(host), "GET", NOTHING).reason is Reason.DENIED_BY_RULE


def test_the_rules_author_may_say_why_and_what_its_denial_does() -> None:
    rule = replace(deny("example.org"), reason="leaks", on_denial=OnDenial.BLOCK)
    said = policy(rule).judge(to(A), "CONNECT", NOTHING)
    assert said.explanation.endswith(": leaks")
    assert said.on_denial is OnDenial.BLOCK


class TestMode:
    def test_off_refuses_before_any_allow(self) -> None:
        said = policy(allow(A), mode=Mode.OFF).judge(to(A), "CONNECT", NOTHING)
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.PROXY_DISABLED)
        assert said.source is Source.MODE_GUARD

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_limited_lets_plain_reading_through_to_the_rules(self, method: str) -> None:
        plain = to("example.org:80", Protocol.HTTP)
        limited = policy(allow("example.org"), mode=Mode.LIMITED)
        assert limited.judge(plain, method, NOTHING).verdict is Verdict.ALLOW
        assert policy(mode=Mode.LIMITED).judge(plain, method, NOTHING).verdict is Verdict.DENY

    @pytest.mark.parametrize("method", ["POST", "PUT", "TRACE", "get", "none", "X\x1b[2J"])
    def test_limited_refuses_every_other_method(self, method: str) -> None:
        plain = to("example.org:80", Protocol.HTTP)
        said = policy(allow("example.org"), mode=Mode.LIMITED).judge(plain, method, NOTHING)
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.METHOD_NOT_ALLOWED)
        assert said.explanation.isprintable()

    @pytest.mark.parametrize("protocol", [p for p in Protocol if p is not Protocol.HTTP])
    def test_limited_refuses_what_it_cannot_see_into(self, protocol: Protocol) -> None:
        said = policy(allow("example.org"), mode=Mode.LIMITED).judge(
            to(A, protocol), "GET", NOTHING
        )
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.INSPECTION_REQUIRED)

    def test_a_deny_rule_is_named_before_the_mode(self) -> None:
        said = policy(deny(A), mode=Mode.OFF).judge(to(A), "CONNECT", NOTHING)
        assert said.reason is Reason.DENIED_BY_RULE


class TestLocal:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1:80", "[::1]:80", "10.0.0.1:80", "169.254.169.254:80"]
    )
    @pytest.mark.parametrize("opener", ["*:*", "0.0.0.0/0:*", "[::/0]:*", "**.example.org:*"])
    def test_no_wildcard_and_no_everything_block_opens_a_literal(
        self, host: str, opener: str
    ) -> None:
        open_wide = policy(allow(opener), default=Verdict.ALLOW)
        said = open_wide.judge(to(host), "GET", Memory(granted={to(host)}))
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED_LOCAL)

    def test_a_rule_that_names_the_literal_opens_that_port_only(self) -> None:
        opened = policy(allow("127.0.0.1:5432"), default=Verdict.ASK)
        assert opened.judge(to("127.0.0.1:5432"), "CONNECT", NOTHING).verdict is Verdict.ALLOW
        for other in ("127.0.0.1:80", "127.0.0.2:5432", "[::1]:5432"):
            said = opened.judge(to(other), "CONNECT", NOTHING)
            assert said.reason is Reason.NOT_ALLOWED_LOCAL
            assert said.hint is not None

    def test_a_rule_that_names_the_block_opens_it(self) -> None:
        opened = policy(allow("10.0.0.0/8:5432"), allow("[fd00::/8]:80"))
        assert opened.judge(to("10.1.2.3:5432"), "CONNECT", NOTHING).verdict is Verdict.ALLOW
        assert opened.judge(to("[fd12::1]:80"), "CONNECT", NOTHING).verdict is Verdict.ALLOW
        assert opened.judge(to("11.1.2.3:5432"), "CONNECT", NOTHING).verdict is Verdict.DENY

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "a.localhost",
            "printer.local",
            "db.corp.internal",
            "intranet",
            "metadata.goog",
        ],
    )
    def test_a_special_name_needs_a_rule_that_names_it(self, host: str) -> None:
        asked = to(f"{host}:443")
        for wide in (allow("*"), allow("*.corp.internal"), allow("**.corp.internal")):
            said = policy(wide, default=Verdict.ASK).judge(asked, "CONNECT", NOTHING)
            assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED_LOCAL)
        named = policy(allow(f"{host}:443")).judge(asked, "CONNECT", NOTHING)
        assert named.verdict is Verdict.ALLOW

    def test_this_hosts_own_public_address_counts_as_local(self) -> None:
        own = Blocks([parse_block("8.8.4.4")])
        said = policy(allow("*"), host=Host(addresses=own)).judge(
            to("8.8.4.4:443"), "CONNECT", NOTHING
        )
        assert said.reason is Reason.NOT_ALLOWED_LOCAL
        assert "this host's own address" in said.explanation

    def test_refused_before_anybody_is_asked(self) -> None:
        said = policy(default=Verdict.ASK).judge(to("127.0.0.1:80"), "GET", NOTHING)
        assert said.verdict is Verdict.DENY
        assert said.explanation == (
            "127.0.0.1 is a loopback address, and no rule names it with this port"
        )
        assert said.hint == "--allow https://127.0.0.1:80"

    def test_public_literals_are_ordinary(self) -> None:
        assert (
            policy(allow("*")).judge(to("8.8.8.8:443"), "CONNECT", NOTHING).verdict is Verdict.ALLOW
        )
        asked = policy(default=Verdict.ASK).judge(to("8.8.8.8:443"), "CONNECT", NOTHING)
        assert asked.verdict is Verdict.ASK

    def test_a_literal_is_not_its_name(self) -> None:
        """A raw address stays refused even if an allowed name lives there."""
        said = policy(allow("**.example.org")).judge(to("8.8.8.8:443"), "CONNECT", NOTHING)
        assert said.reason is Reason.NOT_ALLOWED


class TestSession:
    def test_a_session_denial_comes_before_allow_rules(self) -> None:
        said = policy(allow(A)).judge(to(A), "CONNECT", Memory(denied={to(A)}))
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.DENIED_BY_SESSION)
        assert said.source is Source.SESSION_CACHE
        assert "a-no" in said.explanation

    def test_a_grant_allows_where_no_rule_does(self) -> None:
        said = policy().judge(to(A), "CONNECT", Memory(granted={to(A)}))
        assert (said.verdict, said.reason) == (Verdict.ALLOW, Reason.ALLOWED_BY_GRANT)
        assert said.source is Source.SESSION_CACHE

    def test_a_grant_is_for_its_protocol_and_port(self) -> None:
        memory = Memory(granted={to(A)})
        for other in (to("example.org:80"), to(A, Protocol.SOCKS5_TCP), to(A, Protocol.HTTP)):
            assert policy().judge(other, "CONNECT", memory).verdict is Verdict.DENY

    def test_a_denial_beats_a_grant(self) -> None:
        memory = Memory(granted={to(A)}, denied={to(A)})
        assert policy().judge(to(A), "CONNECT", memory).verdict is Verdict.DENY

    def test_an_allow_rule_is_named_before_a_grant(self) -> None:
        said = policy(allow(A)).judge(to(A), "CONNECT", Memory(granted={to(A)}))
        assert said.reason is Reason.ALLOWED_BY_RULE


class TestNearMiss:
    def test_the_port_that_a_rule_lacks_is_named(self) -> None:
        said = policy(allow(A)).judge(to("example.org:22"), "CONNECT", NOTHING)
        assert said.explanation == "rule example.org:443 (--allow #1) does not cover port 22"

    def test_the_protocol_that_a_rule_lacks_is_named(self) -> None:
        said = policy(allow("http://example.org:443")).judge(to(A), "CONNECT", NOTHING)
        assert said.explanation.endswith("does not cover protocol https")


class TestVet:
    def test_public_addresses_pass(self) -> None:
        vetted = policy(allow(A)).vet(to(A), ["8.8.8.8", "2606:4700::1"])
        assert vetted.passed == ("8.8.8.8", "2606:4700::1")
        assert (vetted.refused, vetted.explanation, vetted.hint) == ((), "", None)

    def test_a_mixed_answer_keeps_what_passes(self) -> None:
        vetted = policy(allow(A)).vet(to(A), ["10.0.0.1", "8.8.8.8"])
        assert vetted.passed == ("8.8.8.8",)
        assert vetted.refused == (("10.0.0.1", AddressClass.PRIVATE),)

    def test_nothing_left_is_explained_by_class_and_not_by_address(self) -> None:
        vetted = policy(allow(A)).vet(to(A), ["10.0.0.1", "10.0.0.2", "127.0.0.1"])
        assert vetted.passed == ()
        assert vetted.explanation == (
            "example.org resolves to a private address and a loopback address"
        )
        assert vetted.hint == "--allow-private 10.0.0.1/32"

    def test_allow_private_covers_names(self) -> None:
        opened = policy(allow(A), allow_private=["10.0.0.0/8"])
        assert opened.vet(to(A), ["10.0.0.1", "127.0.0.1"]).passed == ("10.0.0.1",)

    def test_allow_private_does_not_open_literals(self) -> None:
        opened = policy(allow("*"), allow_private=["10.0.0.0/8"])
        said = opened.judge(to("10.0.0.1:443"), "CONNECT", NOTHING)
        assert said.reason is Reason.NOT_ALLOWED_LOCAL

    def test_a_literal_that_a_rule_names_passes(self) -> None:
        opened = policy(allow("127.0.0.1:5432"), allow("10.0.0.0/8:5432"))
        for host in ("127.0.0.1", "10.1.2.3"):
            assert opened.vet(to(f"{host}:5432"), [host]).passed == (host,)
            assert opened.vet(to(f"{host}:80"), [host]).passed == ()

    def test_localhost_means_loopback_and_nothing_else(self) -> None:
        opened = policy(allow("localhost:80"))
        vetted = opened.vet(to("localhost:80"), ["127.0.0.1", "::1", "10.0.0.1"])
        assert vetted.passed == ("127.0.0.1", "::1")

    def test_a_name_is_no_way_round_a_denied_address(self) -> None:
        strict = policy(allow(A), deny("8.8.8.0/24"), allow_private=["10.0.0.0/8"])
        vetted = strict.vet(to(A), ["8.8.8.8", "9.9.9.9"])
        assert vetted.passed == ("9.9.9.9",)
        assert vetted.refused == (("8.8.8.8", AddressClass.DENIED),)
        assert strict.vet(to(A), ["8.8.8.8"]).hint is None

    def test_mapped_answers_are_judged_and_dialled_as_ipv4(self) -> None:
        vetted = policy(allow(A)).vet(to(A), ["::ffff:8.8.8.8", "::ffff:127.0.0.1"])
        assert vetted.passed == ("8.8.8.8",)
        assert vetted.refused == (("127.0.0.1", AddressClass.LOOPBACK),)

    def test_an_empty_answer_passes_nothing(self) -> None:
        vetted = policy(allow(A)).vet(to(A), [])
        assert (vetted.passed, vetted.hint) == ((), None)
        assert vetted.explanation == "example.org resolves to no address"


class TestDigest:
    def test_everything_that_decides_is_in_it(self) -> None:
        base = policy(allow(A))
        others = [
            policy(),
            policy(deny(A)),
            policy(allow("example.org:80")),
            policy(allow(A), default=Verdict.ASK),
            policy(allow(A), mode=Mode.LIMITED),
            policy(allow(A), allow_private=["10.0.0.0/8"]),
            policy(replace(deny(A), on_denial=OnDenial.BLOCK)),
        ]
        digests = {one.digest for one in [base, *others]}
        assert len(digests) == len(others) + 1
        assert all(len(digest) == 64 for digest in digests)

    def test_spelling_and_place_are_not(self) -> None:
        assert policy(allow("EXAMPLE.org.:443")).digest == policy(allow(A)).digest

    def test_count(self) -> None:
        assert policy(allow(A), deny(A)).rule_count == 2


@given(rule_lists, denies, destinations, st.sampled_from(list(Verdict)))
def test_adding_a_deny_never_allows_more(
    rules: list[Rule], extra: Rule, asked: Destination, default: Verdict
) -> None:
    before = policy(*rules, default=default).judge(asked, "GET", NOTHING)
    after = policy(*rules, extra, default=default).judge(asked, "GET", NOTHING)
    if before.verdict is Verdict.DENY:
        assert after.verdict is Verdict.DENY
    assert after.verdict in {before.verdict, Verdict.DENY}


@given(rule_lists, destinations)
def test_verdicts_are_those_of_a_walk_over_all_rules(rules: list[Rule], asked: Destination) -> None:
    said = policy(*rules).judge(asked, "GET", NOTHING)
    denied = naive_match([rule for rule in rules if rule.effect is Effect.DENY], asked)
    allowed = naive_match([rule for rule in rules if rule.effect is Effect.ALLOW], asked)
    if denied is not None:
        assert said.rule == denied.label
    elif said.verdict is Verdict.ALLOW:
        assert allowed is not None
    else:
        assert allowed is None or said.reason is Reason.NOT_ALLOWED_LOCAL


@given(rule_lists, destinations, destinations)
def test_a_grant_never_answers_for_another_key(
    rules: list[Rule], granted: Destination, asked: Destination
) -> None:
    memory = Memory(granted={granted})
    said = policy(*rules).judge(asked, "GET", memory)
    if asked != granted:
        assert said.reason is not Reason.ALLOWED_BY_GRANT


@given(rule_lists, destinations)
def test_a_refusals_hint_is_enough_where_there_is_one(
    rules: list[Rule], asked: Destination
) -> None:
    said = policy(*rules).judge(asked, "GET", NOTHING)
    if said.hint is not None:
        flag = said.hint.removeprefix("--allow ").strip("'")
        assert policy(*rules, allow(flag)).judge(asked, "GET", NOTHING).verdict is Verdict.ALLOW
