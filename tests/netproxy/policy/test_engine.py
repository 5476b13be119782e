"""The decision and its order (the contract), and what remains of a resolver's answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import OnDenial, Protocol, Reason, Source, Verdict
from netproxy.policy.addresses import AddressClass
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.conditions import Condition
from netproxy.policy.engine import Host
from netproxy.policy.origin import NOWHERE
from netproxy.policy.spec import Mode
from tests.support.policies import Memory, allow, deny, naive_match, naive_reason, policy, to
from tests.support.rule_texts import allows, denies, destinations, full_rules, rule_lists, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.model import Destination
    from netproxy.policy.rules import Rule

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


class TestNameRefusal:
    """A look-up knows no port: only what holds for all of them refuses it."""

    def test_a_rule_for_every_port(self) -> None:
        rule = replace(deny("**.example.org"), reason="leaks")
        said = policy(rule, allow("a.example.org")).name_refusal("a.example.org")
        assert said is not None
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.DENIED_BY_RULE)
        assert said.explanation == (
            "a.example.org is denied by rule **.example.org (--deny #1): leaks"
        )
        assert said.rule == "**.example.org (--deny #1)"

    @pytest.mark.parametrize("rule", ["example.org:443", "https://example.org"])
    def test_a_rule_for_some_is_left_to_the_connection(self, rule: str) -> None:
        assert policy(deny(rule)).name_refusal("example.org") is None

    def test_nobody_is_refused_for_want_of_a_rule(self) -> None:
        assert policy(default=Verdict.DENY).name_refusal("example.org") is None

    def test_the_network_is_off(self) -> None:
        said = policy(allow("example.org"), mode=Mode.OFF).name_refusal("example.org")
        assert said is not None
        assert said.reason is Reason.PROXY_DISABLED

    @pytest.mark.parametrize("host", ["localhost", "printer.local", "db", "metadata.goog"])
    def test_a_local_name_that_no_rule_names(self, host: str) -> None:
        said = policy(allow("*"), default=Verdict.ALLOW).name_refusal(host)
        assert said is not None
        assert said.reason is Reason.NOT_ALLOWED_LOCAL
        assert policy(allow(f"{host}:5432")).name_refusal(host) is None


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
            "127.0.0.1 is a loopback address of the gateway's host, "
            "and no rule names it with this port"
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


class TestCondition:
    """Until requests are inspected, neither a yes nor a no that depends on them is known."""

    GET = Condition(methods=("GET",))

    def some(self, rule: Rule) -> Rule:
        return replace(rule, condition=self.GET)

    @pytest.mark.parametrize("default", list(Verdict), ids=str)
    @pytest.mark.parametrize("read", [allow, deny], ids=["allow", "deny"])
    def test_a_rule_that_needs_inspection_refuses(
        self, read: Callable[[str], Rule], default: Verdict
    ) -> None:
        made = policy(self.some(read(A)), default=default)
        said = made.judge(to(A), "GET", Memory(granted={to(A)}))
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.INSPECTION_REQUIRED)
        assert said.rule == made.spec.rules[0].label
        assert "holds for GET only" in said.explanation

    def test_it_refuses_plain_requests_too(self) -> None:
        asked = to("example.org:80", Protocol.HTTP)
        made = policy(self.some(allow("example.org")), allow("example.net"))
        assert made.judge(asked, "GET", NOTHING).reason is Reason.INSPECTION_REQUIRED

    def test_elsewhere_it_says_nothing(self) -> None:
        made = policy(self.some(allow(A)), self.some(deny("example.net")), allow("a.example.org"))
        assert made.judge(to("a.example.org:443"), "", NOTHING).verdict is Verdict.ALLOW
        assert made.judge(to("example.org:22"), "", NOTHING).reason is Reason.NOT_ALLOWED

    def test_an_allow_without_a_condition_beside_it_allows(self) -> None:
        for rules in ([self.some(allow(A)), allow("*")], [allow("*"), self.some(allow(A))]):
            said = policy(*rules).judge(to(A), "CONNECT", NOTHING)
            assert (said.reason, said.rule) == (Reason.ALLOWED_BY_RULE, "* (--allow #1)")

    def test_a_deny_without_a_condition_beside_it_denies(self) -> None:
        for rules in ([self.some(deny(A)), deny("*")], [deny("*"), self.some(deny(A))]):
            said = policy(*rules, allow(A)).judge(to(A), "CONNECT", NOTHING)
            assert said.reason is Reason.DENIED_BY_RULE

    def test_a_deny_that_may_hold_comes_before_an_allow_that_does(self) -> None:
        said = policy(allow(A), self.some(deny("**.example.org"))).judge(to(A), "", NOTHING)
        assert said.reason is Reason.INSPECTION_REQUIRED

    def test_a_session_denial_is_named_before_it(self) -> None:
        said = policy(self.some(allow(A))).judge(to(A), "", Memory(denied={to(A)}))
        assert said.reason is Reason.DENIED_BY_SESSION

    def test_it_opens_nothing_local(self) -> None:
        made = policy(self.some(allow("127.0.0.1:80")))
        said = made.judge(to("127.0.0.1:80"), "GET", NOTHING)
        assert said.reason is Reason.INSPECTION_REQUIRED
        assert made.vet(to("127.0.0.1:80"), ["127.0.0.1"]).passed == ()
        wide = policy(self.some(allow("*")), default=Verdict.ALLOW)
        assert wide.judge(to("127.0.0.1:80"), "", NOTHING).reason is Reason.NOT_ALLOWED_LOCAL

    def test_what_may_be_denied_is_not_dialled_for_a_name(self) -> None:
        made = policy(allow(A), self.some(deny("8.8.8.0/24")))
        assert made.vet(to(A), ["8.8.8.8"]).refused == (("8.8.8.8", AddressClass.DENIED),)

    def test_it_explains_a_near_miss(self) -> None:
        said = policy(self.some(allow(A))).judge(to("example.org:22"), "", NOTHING)
        assert said.explanation.endswith("does not cover port 22")


class TestCeiling:
    @pytest.mark.parametrize("default", list(Verdict), ids=str)
    def test_neither_a_grant_nor_a_default_goes_beyond_it(self, default: Verdict) -> None:
        bounded = policy(default=default, ceiling=(allow("**.example.org"),))
        beyond = to("example.net:443")
        said = bounded.judge(beyond, "", Memory(granted={beyond}))
        assert (said.verdict, said.reason) == (Verdict.DENY, Reason.NOT_ALLOWED)
        assert said.explanation == (
            "example.net:443 is outside what the managed settings let anybody allow"
        )
        assert said.hint is None
        assert bounded.judge(to(A), "", NOTHING).verdict is default
        assert bounded.judge(to(A), "", Memory(granted={to(A)})).verdict is Verdict.ALLOW

    def test_ports_and_protocols_count(self) -> None:
        bounded = policy(default=Verdict.ASK, ceiling=(allow("https://*:443"),))
        assert bounded.judge(to(A), "", NOTHING).verdict is Verdict.ASK
        for other in (to("example.org:80"), to(A, Protocol.TCP)):
            assert bounded.judge(other, "", NOTHING).verdict is Verdict.DENY

    def test_nothing_allowed_is_nothing_asked(self) -> None:
        assert policy(default=Verdict.ASK, ceiling=()).judge(to(A), "", NOTHING).verdict is (
            Verdict.DENY
        )

    def test_a_deny_and_the_mode_are_named_before_it(self) -> None:
        denied = policy(deny(A), ceiling=()).judge(to(A), "", NOTHING)
        assert denied.reason is Reason.DENIED_BY_RULE
        off = policy(mode=Mode.OFF, ceiling=()).judge(to(A), "", NOTHING)
        assert off.reason is Reason.PROXY_DISABLED

    def test_what_is_local_is_below_it_by_its_name_only(self) -> None:
        local = to("127.0.0.1:80")
        assert not policy(ceiling=(allow("*:*"),)).is_below_ceiling(local)
        assert not policy(ceiling=(allow("0.0.0.0/0:*"),)).is_below_ceiling(local)
        assert policy(ceiling=(allow("127.0.0.0/8:80"),)).is_below_ceiling(local)
        bounded = policy(default=Verdict.ALLOW, ceiling=(allow("127.0.0.0/8:80"),))
        said = bounded.judge(local, "", Memory(granted={local}))
        assert said.reason is Reason.NOT_ALLOWED_LOCAL


class TestExpiry:
    def test_a_rule_holds_until_its_time_and_not_at_it(self) -> None:
        rules = (replace(allow(A), expires_at=100.0), replace(deny("*"), expires_at=50.0))
        assert policy(*rules, now=49.9).judge(to(A), "", NOTHING).verdict is Verdict.DENY
        assert policy(*rules, now=50.0).judge(to(A), "", NOTHING).verdict is Verdict.ALLOW
        assert policy(*rules, now=99.9).judge(to(A), "", NOTHING).verdict is Verdict.ALLOW
        assert policy(*rules, now=100.0).judge(to(A), "", NOTHING).verdict is Verdict.DENY

    @pytest.mark.parametrize(
        ("now", "change"), [(0.0, 50.0), (49.9, 50.0), (50.0, 100.0), (100.0, None), (200.0, None)]
    )
    def test_the_next_change_is_the_first_expiry_to_come(
        self, now: float, change: float | None
    ) -> None:
        rules = (replace(allow(A), expires_at=100.0), replace(deny(A), expires_at=50.0), allow(A))
        assert policy(*rules, now=now).next_change == change

    def test_an_expired_rule_explains_nothing(self) -> None:
        said = policy(replace(allow(A), expires_at=1.0), now=2.0).judge(to(A), "", NOTHING)
        assert said.explanation == "no rule matches example.org:443"

    def test_what_was_opened_locally_closes(self) -> None:
        rule = replace(allow("127.0.0.1:80"), expires_at=1.0)
        asked = to("127.0.0.1:80")
        assert policy(rule, now=0.9).vet(asked, ["127.0.0.1"]).passed == ("127.0.0.1",)
        assert policy(rule, now=1.0).vet(asked, ["127.0.0.1"]).passed == ()


class TestListeners:
    """Nothing leads to where the gateway itself listens, however spelled and whoever opens it."""

    LOOPBACK = frozenset({("127.0.0.1", 3128), ("::1", 3128)})
    ALL_V4 = frozenset({("0.0.0.0", 3128)})
    ALL_V6 = frozenset({("::", 3128)})
    LAN = Blocks([parse_block("10.0.0.5"), parse_block("8.8.4.4")])
    NAMED = tuple(
        allow(f"{host}:*")
        for host in (
            *("127.0.0.0/8", "[::1]", "0.0.0.0", "[::]", "10.0.0.0/8", "8.8.4.4"),
            *("localhost", "a.localhost", "me.internal", "example.org"),
        )
    )

    def judge(self, host: str, listeners: frozenset[tuple[str, int]]) -> tuple[Verdict, str]:
        """The verdict, and what is said where it is no."""
        here = Host(addresses=self.LAN, listeners=listeners)
        said = policy(*self.NAMED, host=here).judge(to(host), "", NOTHING)
        return said.verdict, said.explanation

    @pytest.mark.parametrize(
        "listeners", [LOOPBACK, ALL_V4, ALL_V6], ids=["loopback", "IPv4", "IPv6"]
    )
    @pytest.mark.parametrize(
        "alias",
        [
            "127.0.0.1",
            "127.0.0.1.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "[::]",
        ],
    )
    def test_no_alias_of_loopback_is_proxied(
        self, alias: str, listeners: frozenset[tuple[str, int]]
    ) -> None:
        verdict, said = self.judge(f"{alias}:3128", listeners)
        assert verdict is Verdict.DENY
        assert said.endswith(":3128 is this gateway itself")
        assert self.judge(f"{alias}:3129", listeners)[0] is Verdict.ALLOW

    @pytest.mark.parametrize("alias", ["127.0.0.2", "10.0.0.5", "8.8.4.4", "[::ffff:10.0.0.5]"])
    def test_who_listens_everywhere_is_reached_at_every_address(self, alias: str) -> None:
        assert self.judge(f"{alias}:3128", self.LOOPBACK)[0] is Verdict.ALLOW
        for listeners in (self.ALL_V4, self.ALL_V6):
            assert self.judge(f"{alias}:3128", listeners)[0] is Verdict.DENY

    def test_another_host_with_the_same_port_is_another(self) -> None:
        assert self.judge("10.0.0.6:3128", self.ALL_V4)[0] is Verdict.ALLOW

    @pytest.mark.parametrize("name", ["localhost", "a.localhost", "me.internal", "example.org"])
    @pytest.mark.parametrize("answer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
    def test_no_name_that_resolves_there_is_dialled(self, name: str, answer: str) -> None:
        made = policy(
            *self.NAMED,
            allow_private=["0.0.0.0/32", "127.0.0.0/8", "::/128", "::1"],
            host=Host(listeners=self.LOOPBACK),
        )
        assert made.judge(to(f"{name}:3128"), "", NOTHING).verdict is Verdict.ALLOW
        vetted = made.vet(to(f"{name}:3128"), [answer])
        assert [kind for _, kind in vetted.refused] == [AddressClass.LISTENER]
        assert vetted.passed == ()
        assert vetted.explanation == f"{name} resolves to this gateway itself"
        assert vetted.hint is None
        assert made.vet(to(f"{name}:3129"), [answer]).passed != ()

    def test_a_name_is_judged_by_what_it_resolves_to(self) -> None:
        made = policy(*self.NAMED, host=Host(listeners=self.ALL_V4))
        assert made.judge(to("localhost:3128"), "", NOTHING).verdict is Verdict.ALLOW
        assert made.vet(to("localhost:3128"), ["127.0.0.1", "::1"]).passed == ()

    def test_an_own_public_address_is_no_way_round_it(self) -> None:
        """Even where nobody told which addresses are ours."""
        made = policy(allow("*:*"), host=Host(listeners=frozenset({("8.8.4.4", 3128)})))
        assert made.vet(to("example.org:3128"), ["8.8.4.4"]).passed == ()
        assert made.vet(to("8.8.4.4:3128"), ["8.8.4.4"]).passed == ()


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
            policy(deny("https://example.org:443")),
            policy(replace(allow(A), expires_at=1.0)),
            policy(replace(allow(A), expires_at=2.0)),
            policy(replace(allow(A), condition=Condition(methods=("GET",)))),
            policy(replace(allow(A), condition=Condition(paths=("/GET",)))),
            policy(replace(allow(A), condition=Condition(headers=(("x-a", "b"), ("c", "d"))))),
            policy(replace(allow(A), condition=Condition(headers=(("x-a", "b,c: d"),)))),
            policy(allow(A), ceiling=()),
            policy(allow(A), ceiling=(allow(A),)),
            policy(allow(A), allow(A)),
        ]
        digests = {one.digest for one in [base, *others]}
        assert len(digests) == len(others) + 1
        assert all(len(digest) == 64 for digest in digests)

    def test_spelling_place_host_and_time_are_not(self) -> None:
        elsewhere = replace(allow("EXAMPLE.org.:443"), origin=NOWHERE, reason="because")
        here = Host(listeners=frozenset({("127.0.0.1", 80)}))
        assert policy(elsewhere, host=here, now=5.0).digest == policy(allow(A)).digest

    def test_what_a_denial_does_is_the_specs(self) -> None:
        assert policy(on_denial=OnDenial.BLOCK).on_denial is OnDenial.BLOCK

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


@given(rule_lists, allows, destinations, st.sampled_from(list(Verdict)))
def test_adding_an_allow_never_allows_what_a_deny_denies(
    rules: list[Rule], extra: Rule, asked: Destination, default: Verdict
) -> None:
    before = policy(*rules, default=default).judge(asked, "GET", NOTHING)
    after = policy(*rules, extra, default=default).judge(asked, "GET", NOTHING)
    if before.reason is Reason.DENIED_BY_RULE:
        assert after == before


@given(st.lists(full_rules, max_size=8), destinations, times)
def test_reasons_are_those_of_a_walk_over_all_rules(
    rules: list[Rule], asked: Destination, now: float
) -> None:
    """Every kind of pattern, ports and protocols, conditions and expiry."""
    said = policy(*rules, now=now).judge(asked, "GET", NOTHING)
    assert said.reason is naive_reason(rules, asked, now=now)


@given(st.lists(full_rules, max_size=5), full_rules, destinations)
def test_a_rule_never_matches_another_key(
    rules: list[Rule], extra: Rule, asked: Destination
) -> None:
    """What a rule does not match, it changes nothing about."""
    forms = [asked, asked._replace(host="8.8.8.8")]
    if not any(naive_match([extra], each) for each in forms):
        with_it = policy(*rules, extra).judge(asked, "GET", NOTHING)
        assert with_it.reason is policy(*rules).judge(asked, "GET", NOTHING).reason


@given(st.lists(full_rules, max_size=8), destinations, times, st.floats(0, 30))
def test_a_snapshot_holds_until_its_next_change(
    rules: list[Rule], asked: Destination, now: float, later: float
) -> None:
    made = policy(*rules, now=now)
    if now <= later < (made.next_change or 31):
        then = policy(*rules, now=later)
        assert made.judge(asked, "GET", NOTHING) == then.judge(asked, "GET", NOTHING)


@given(rule_lists, st.lists(allows, max_size=3), destinations, st.sampled_from(list(Verdict)))
def test_nothing_above_the_ceiling_is_allowed_or_asked_about(
    rules: list[Rule], ceiling: list[Rule], asked: Destination, default: Verdict
) -> None:
    """The loader refuses rules outside of it, so only grants and the default could get there."""
    bounded = policy(*rules, default=default, ceiling=tuple(ceiling))
    said = bounded.judge(asked, "GET", Memory(granted={asked}))
    if not bounded.is_below_ceiling(asked):
        by_rule = bounded.allow_rule(asked) is not None
        assert said.verdict is Verdict.DENY or by_rule


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


def test_what_was_found_for_one_destination_is_not_what_holds_for_another() -> None:
    """Host, port and protocol each make a difference, in whatever order they are asked for."""
    rules = policy(allow("https://a.test:443"), deny("socks5-tcp://a.test:443"))
    expected = {
        to("a.test:443"): Reason.ALLOWED_BY_RULE,
        to("a.test:443", Protocol.SOCKS5_TCP): Reason.DENIED_BY_RULE,
        to("a.test:443", Protocol.HTTP): Reason.NOT_ALLOWED,
        to("b.test:443"): Reason.NOT_ALLOWED,
        to("a.test:444"): Reason.NOT_ALLOWED,
    }
    for _ in range(2):
        said = {each: rules.judge(each, "CONNECT", NOTHING).reason for each in expected}
        assert said == expected


def test_what_was_found_does_not_hide_the_sessions_memory() -> None:
    rules = policy(allow("a.test:443"), default=Verdict.ASK)
    destination, other = to("a.test:443"), to("b.test:443")
    for _ in range(2):
        assert rules.judge(destination, "CONNECT", NOTHING).verdict is Verdict.ALLOW
        denied = rules.judge(destination, "CONNECT", Memory(denied={destination}))
        assert denied.reason is Reason.DENIED_BY_SESSION
        assert rules.judge(other, "CONNECT", NOTHING).verdict is Verdict.ASK
        assert rules.judge(other, "CONNECT", Memory(granted={other})).verdict is Verdict.ALLOW


def test_a_snapshot_for_another_host_finds_anew() -> None:
    """The address was somebody else's; now it is this host's own listener."""
    rules = policy(allow("10.0.0.1:3128"))
    destination = to("10.0.0.1:3128")
    assert rules.judge(destination, "CONNECT", NOTHING).verdict is Verdict.ALLOW
    own = replace(rules, host=Host(listeners=frozenset({("10.0.0.1", 3128)})))
    assert own.judge(destination, "CONNECT", NOTHING).reason is Reason.NOT_ALLOWED_LOCAL


def test_what_was_found_is_bounded() -> None:
    rules = policy(allow("**.example.org"))
    for number in range(3000):
        rules.judge(to(f"h{number}.example.org:443"), "CONNECT", NOTHING)
        assert len(rules._found) <= 1024
