"""What a change says would flip a verdict does, for whoever follows its words."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Verdict
from netproxy.policy.change import Change, NothingRemembered, rules_about, smallest_change
from netproxy.policy.engine import Host, Policy, compile_policy
from netproxy.policy.origin import Layer
from netproxy.policy.rules import Effect, parse_rule
from netproxy.policy.spec import Mode
from tests.support.any_policy import METHODS, NOW, at, memories, policies
from tests.support.policies import Memory, allow, deny, policy, to
from tests.support.rule_texts import destinations

if TYPE_CHECKING:
    from netproxy.model import Destination

MANAGED = at(deny("evil.b.example"), Layer.MANAGED, 3)
USER_DENY = at(deny("**.tracker.example"), Layer.USER, 7)


def change(made: Policy, text: str, cache: Memory | None = None) -> Change:
    remembered = cache or NothingRemembered()
    return smallest_change(made, to(text), "CONNECT", now=NOW, cache=remembered)


@given(made=policies(), asked=destinations, method=METHODS, data=st.data())
def test_the_change_flips_the_verdict(
    made: Policy, asked: Destination, method: str, data: st.DataObject
) -> None:
    cache = data.draw(memories(asked))
    found = smallest_change(made, asked, method, now=NOW, cache=cache)
    was_allowed = made.judge(asked, method, cache).verdict is Verdict.ALLOW
    if found.obstacle is not None:
        assert not was_allowed
        return
    after = applied(made, found).judge(asked, method, cache)
    assert after.verdict is (Verdict.DENY if was_allowed else Verdict.ALLOW)


def applied(made: Policy, change: Change) -> Policy:
    """What somebody gets who follows the words."""
    rules = [rule for rule in made.spec.rules if not any(rule is gone for gone in change.remove)]
    if change.flag is not None:
        flag, text = shlex.split(change.flag)
        assert change.line == f'{flag.removeprefix("--")} = ["{text}"]'
        rules.append(parse_rule(text, Effect(flag.removeprefix("--"))))
    spec = replace(made.spec, rules=tuple(rules))
    if change.needs_full_mode:
        spec = replace(spec, mode=Mode.FULL)
    return compile_policy(spec, now=NOW, host=made.host)


CHANGES = {
    "an ask": (
        policy(default=Verdict.ASK),
        "a.example:443",
        "--allow https://a.example:443",
    ),
    "IPv6": (policy(), "[2606:4700::1]:443", "--allow 'https://[2606:4700::1]:443'"),
    "an allow": (policy(allow("*")), "a.example:443", "--deny https://a.example:443"),
    "a deny over an allow": (
        policy(USER_DENY, allow("a.tracker.example")),
        "a.tracker.example:443",
        "remove deny **.tracker.example (config.toml:7)",
    ),
    "a deny over nothing": (
        policy(USER_DENY),
        "a.tracker.example:443",
        "remove deny **.tracker.example (config.toml:7), and --allow https://a.tracker.example:443",
    ),
    "two denies of one line": (
        policy(USER_DENY, replace(USER_DENY, ports=((443, 443),)), default=Verdict.ALLOW),
        "a.tracker.example:443",
        "remove deny **.tracker.example (config.toml:7)",
    ),
    "a deny of the address inside": (
        policy(at(deny("8.8.8.8"), Layer.USER, 7), default=Verdict.ALLOW),
        "[64:ff9b::808:808]:443",
        "remove deny 8.8.8.8 (config.toml:7)",
    ),
    "an allow of the address inside": (
        policy(allow("8.8.8.8:443")),
        "[64:ff9b::808:808]:443",
        "--allow 'https://[64:ff9b::808:808]:443'",
    ),
    "limited mode": (
        policy(mode=Mode.LIMITED, default=Verdict.ALLOW),
        "a.example:443",
        'set mode = "full"',
    ),
    "a managed deny": (
        policy(MANAGED),
        "evil.b.example:443",
        "none: the managed settings deny it",
    ),
    "above the ceiling": (
        policy(ceiling=()),
        "a.example:443",
        "none: the managed settings set this bound",
    ),
    "our own listener": (
        policy(host=Host(listeners=frozenset({("127.0.0.1", 443)}))),
        "127.0.0.1:443",
        "none: the gateway does not proxy to itself",
    ),
}


@pytest.mark.parametrize(("made", "asked", "text"), CHANGES.values(), ids=CHANGES)
def test_the_words_of_a_change(made: Policy, asked: str, text: str) -> None:
    assert change(made, asked).text == text


def test_a_session_keeps_its_no() -> None:
    asked = to("a.example:443")
    found = change(policy(), "a.example:443", Memory(denied={asked}))
    assert found.text == "none: the session remembers a no until it ends"


def test_other_hosts_rules_are_passed_over() -> None:
    many = [allow(f"h{number}.example.org") for number in range(2000)]
    assert change(policy(*many, USER_DENY), "x.tracker.example:443").remove == (USER_DENY,)
    assert rules_about([*many, USER_DENY], "h7.example.org") == [many[7]]
