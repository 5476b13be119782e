"""A trace tells the verdict that is judged, and what it says would flip it does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Destination, Verdict
from netproxy.policy.conditions import Condition
from netproxy.policy.layers import LayerPolicy, Statement
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.spec import Mode
from netproxy.policy.trace import Trace, trace
from tests.support.any_policy import METHODS, NOW, at, memories, policies
from tests.support.policies import Memory, allow, deny, policy, to
from tests.support.rule_texts import destinations

if TYPE_CHECKING:
    from netproxy.policy.engine import Policy
    from netproxy.policy.rules import Rule

FILE = "/home/me/config.toml"


def traced(made: Policy, text: str, method: str = "CONNECT", **options: object) -> Trace:
    return trace(made, to(text), method, now=NOW, **options)  # type: ignore[arg-type]  # its keywords


@given(made=policies(), asked=destinations, method=METHODS, data=st.data())
def test_the_verdict_is_the_one_that_is_judged(
    made: Policy, asked: Destination, method: str, data: st.DataObject
) -> None:
    cache = data.draw(memories(asked))
    found = trace(made, asked, method, now=NOW, cache=cache)
    judged = made.judge(asked, method, cache)
    assert found.judgement == judged
    assert judged.rule in {found.rule.label if found.rule else None, 'default = "allow"'}
    assert found.steps, "some step decided"
    names = [step.name for step in found.steps]
    assert names == ORDER[: len(names)]


ORDER = [
    "managed deny rules",
    "deny rules",
    "mode",
    "address",
    "session's no",
    "allow rules",
    "managed ceiling",
    "session's yes",
    "default",
]


MANAGED = at(deny("evil.b.example"), Layer.MANAGED, 3)
USER_DENY = at(deny("**.tracker.example"), Layer.USER, 7)
USER_ALLOW = at(allow("pypi.org:443"), Layer.USER, 9)
PROJECT = at(allow("*.b.example"), Layer.PROJECT, 2)


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ("evil.b.example:443", ["evil.b.example (config.toml:3) matches"]),
        (
            "a.tracker.example:443",
            ["none of 1 matches", "**.tracker.example (config.toml:7) matches"],
        ),
        (
            "127.0.0.1:443",
            [
                "none of 1 matches",
                "none of 1 matches",
                "full",
                (
                    "127.0.0.1 is a loopback address of the gateway's host, "
                    "and no rule names it with this port"
                ),
            ],
        ),
        (
            "pypi.org:443",
            [
                "none of 1 matches",
                "none of 1 matches",
                "full",
                "a name: what it resolves to is judged before the dial",
                "none",
                "pypi.org:443 (config.toml:9) matches",
            ],
        ),
        (
            "8.8.8.8:443",
            [
                "none of 1 matches",
                "none of 1 matches",
                "full",
                "a public address",
                "none",
                "none of 2 matches",
                "there is none",
                "none",
                "ask",
            ],
        ),
    ],
)
def test_the_steps(asked: str, steps: list[str]) -> None:
    made = policy(MANAGED, USER_DENY, USER_ALLOW, PROJECT, default=Verdict.ASK)
    assert [step.found for step in traced(made, asked).steps] == steps


def found_at(found: Trace, name: str) -> str:
    return next(step.found for step in found.steps if step.name == name)


def test_steps_of_a_session_a_mode_and_a_ceiling() -> None:
    asked = to("a.example:443")
    said = traced(policy(), "a.example:443", cache=Memory(denied={asked}))
    assert found_at(said, "session's no") == "a.example:443 was denied for this session (a-no)"
    said = traced(policy(), "a.example:443", cache=Memory(granted={asked}))
    assert found_at(said, "session's yes") == "the session remembers a yes"
    said = traced(policy(mode=Mode.OFF), "a.example:443")
    assert found_at(said, "mode") == "the network is off in this profile"
    bounded = policy(ceiling=(allow("b.example"),))
    assert "outside what the managed settings" in traced(bounded, "a.example:443").steps[-1].found
    assert found_at(traced(bounded, "b.example:443"), "managed ceiling") == "inside"
    assert traced(bounded, "a.example:443").layers[0][0] is Layer.MANAGED


def test_steps_of_what_is_local_and_named() -> None:
    made = policy(allow("127.0.0.1:5432"), allow("printer:631"))
    assert found_at(traced(made, "127.0.0.1:5432"), "address") == (
        "a loopback address, which a rule names"
    )
    assert found_at(traced(made, "printer:631"), "address") == "a local name, which a rule names"


def test_a_rule_that_needs_inspection_says_so() -> None:
    made = policy(replace(allow("a.example"), condition=Condition(methods=("GET",))))
    found = traced(made, "a.example:443")
    assert found.steps[-1].found == "a.example (--allow #1) matches, which takes inspection"
    assert found.change.flag == "--allow https://a.example:443"


def test_the_layers() -> None:
    twice = at(allow("**.b.example"), Layer.PROJECT, 2)
    made = policy(MANAGED, at(allow("evil.b.example"), Layer.USER, 4), PROJECT, twice)
    assert traced(made, "evil.b.example:443").layers == (
        (Layer.MANAGED, ("deny evil.b.example (config.toml:3)",)),
        (Layer.USER, ("allow evil.b.example (config.toml:4)",)),
        (
            Layer.PROJECT,
            ("allow *.b.example (config.toml:2)", "allow **.b.example (config.toml:2)"),
        ),
        (Layer.DEFAULTS, ('default = "deny"', 'mode = "full"')),
    )


def test_who_said_mode_and_default_is_told() -> None:
    place = Origin(layer=Layer.USER, file=FILE, line=3, column=1, key="mode")
    bound = Origin(layer=Layer.MANAGED, file="/etc/requirements.toml", line=7, column=1)
    layers = (
        LayerPolicy(layer=Layer.USER, mode=Statement(Mode.LIMITED, place)),
        LayerPolicy(layer=Layer.PROJECT, default=Statement(Verdict.ASK, place)),
        LayerPolicy(layer=Layer.MANAGED, default=Statement(Verdict.DENY, bound)),
    )
    found = trace(policy(mode=Mode.LIMITED), to("a.b:443"), "CONNECT", now=NOW, layers=layers)
    assert found.layers == (
        # Somebody said ask, and somebody stronger that nobody is asked.
        (Layer.MANAGED, ('default = "deny" (requirements.toml:7)',)),
        (Layer.USER, ('mode = "limited" (config.toml:3)',)),
    )
    assert found.change.text.startswith('set mode = "full" (config.toml:3), and --allow')
    assert found.change.is_possible
    both = trace(policy(default=Verdict.ASK, mode=Mode.LIMITED), to("a.b:443"), "GET", now=NOW,
                 layers=layers[:2])  # fmt: skip
    assert [layer for layer, _ in both.layers] == [Layer.USER]


def test_a_mode_that_the_managed_settings_set_can_t_be_changed() -> None:
    bound = Origin(layer=Layer.MANAGED, file="/etc/requirements.toml", line=7, column=1)
    layers = (LayerPolicy(layer=Layer.MANAGED, mode=Statement(Mode.LIMITED, bound)),)
    found = trace(policy(mode=Mode.LIMITED), to("a.b:443"), "CONNECT", now=NOW, layers=layers)
    assert not found.change.is_possible
    assert found.change.text == "none: the managed settings set this mode"


@pytest.mark.parametrize(
    ("rule", "asked", "lacks"),
    [
        (allow("a.example:80"), "a.example:443", "is for port 80"),
        (allow("a.example"), "a.example:22", "is for port 80, 443"),
        (allow("a.example:8000-8010"), "a.example:443", "is for port 8000-8010"),
        (allow("socks5-tcp://a.example:443"), "a.example:443", "is for protocol socks5-tcp"),
        (allow("*"), "127.0.0.1:443", "does not name it, and no wildcard opens what is local"),
        (
            replace(allow("a.example"), expires_at=0.0),
            "a.example:443",
            "expired 1970-01-01 00:00Z",
        ),
    ],
)
def test_near_misses(rule: Rule, asked: str, lacks: str) -> None:
    (miss,) = traced(policy(rule, allow("b.example")), asked).near
    assert (miss.rule, miss.lacks) == (rule, lacks)


def test_the_kind_of_a_literal() -> None:
    assert traced(policy(), "127.0.0.1:443").kind == "loopback"
    assert traced(policy(), "a.example:443").kind is None
