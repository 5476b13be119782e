"""A trace tells the verdict that is judged, and what it says would flip it does."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Destination, Judgement, Protocol, Verdict
from netproxy.policy.blocks import Blocks, parse_block
from netproxy.policy.conditions import Condition
from netproxy.policy.engine import Host, Policy, compile_policy
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode
from netproxy.policy.trace import Change, Trace, trace
from tests.support.policies import Memory, allow, deny, policy, to
from tests.support.rule_texts import allows, destinations, rule_lists

NOW = 1_800_000_000.0
METHODS = st.sampled_from(["GET", "POST", "CONNECT", "none"])
FILE = "/home/me/config.toml"


def traced(made: Policy, text: str, method: str = "CONNECT", **options: object) -> Trace:
    return trace(made, to(text), method, now=NOW, **options)  # type: ignore[arg-type]  # its keywords


def at(rule: Rule, layer: Layer, line: int) -> Rule:
    origin = Origin(layer=layer, file=FILE, line=line, column=5, key="k")
    return replace(rule, origin=origin)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy: layers, expiry, conditions, mode, ceiling, this host."""
    rules = []
    for line, rule in enumerate(draw(rule_lists), 1):
        changed = replace(
            at(rule, draw(st.sampled_from(list(Layer))), line),
            expires_at=draw(st.sampled_from([None, None, NOW - 1, NOW + 1])),
            condition=draw(st.sampled_from([None, None, Condition(methods=("GET",))])),
        )
        rules.append(changed)
    return policy(
        *rules,
        default=draw(st.sampled_from(list(Verdict))),
        mode=draw(st.sampled_from([Mode.FULL, Mode.FULL, Mode.LIMITED, Mode.OFF])),
        ceiling=draw(st.none() | st.lists(allows, max_size=3).map(tuple)),
        host=Host(
            addresses=Blocks((parse_block("8.8.4.4"),)),
            listeners=frozenset({("127.0.0.1", 443), ("8.8.4.4", 80)}),
        ),
        now=NOW,
    )


def memories(asked: Destination) -> st.SearchStrategy[Memory]:
    empty = Memory()
    return st.sampled_from([empty, empty, Memory(denied={asked}), Memory(granted={asked})])


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


@given(made=policies(), asked=destinations, method=METHODS, data=st.data())
def test_the_change_flips_the_verdict(
    made: Policy, asked: Destination, method: str, data: st.DataObject
) -> None:
    cache = data.draw(memories(asked))
    found = trace(made, asked, method, now=NOW, cache=cache)
    if found.change.obstacle is not None:
        assert found.judgement.verdict is not Verdict.ALLOW
        return
    after = applied(made, found.change).judge(asked, method, cache)
    was_allowed = found.judgement.verdict is Verdict.ALLOW
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
                "127.0.0.1 is a loopback address, and no rule names it with this port",
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
        (Layer.DEFAULTS, ("default = deny", "mode = full")),
    )


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
    assert traced(made, asked).change.text == text


def test_a_session_keeps_its_no() -> None:
    asked = to("a.example:443")
    found = traced(policy(), "a.example:443", cache=Memory(denied={asked}))
    assert found.change.text == "none: the session remembers a no until it ends"


def test_the_kind_of_a_literal() -> None:
    assert traced(policy(), "127.0.0.1:443").kind == "loopback"
    assert traced(policy(), "a.example:443").kind is None


def test_it_costs_little_with_many_rules() -> None:
    """Other hosts' rules are passed over without a look at their pattern."""
    many = [allow(f"h{number}.example.org") for number in range(2000)]
    found = trace(
        policy(*many, USER_DENY, default=Verdict.ASK),
        Destination(host="x.tracker.example", port=443, protocol=Protocol.HTTPS),
        "CONNECT",
        now=NOW,
    )
    assert isinstance(found.judgement, Judgement)
    assert found.change.remove == (USER_DENY,)
