"""What is warned of is so, whoever wrote it and where; what is fine is not warned of."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import OnDenial, Verdict
from netproxy.policy.conditions import Condition
from netproxy.policy.lint import FindingKind, lint
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import Effect, Rule, parse_rule
from netproxy.policy.spec import Mode, PolicySpec
from tests.support.policies import Memory, policy
from tests.support.rule_texts import destinations, full_rules

if TYPE_CHECKING:
    from netproxy.model import Destination

K = FindingKind
GET = Condition(methods=("GET",))


def rules(*lines: str, layer: Layer = Layer.USER, file: str = "/me/config.toml") -> list[Rule]:
    """`allow example.org`, each at a line of its own."""
    return [
        parse_rule(
            line.split()[1],
            Effect(line.split()[0]),
            origin=Origin(layer=layer, file=file, line=number, column=1, key=f"rules[{number}]"),
        )
        for number, line in enumerate(lines, 1)
    ]


def found(
    *listed: Rule, mode: Mode = Mode.FULL, now: float = 0.0
) -> list[tuple[FindingKind, int | None, str]]:
    """Kind, line and message of every finding."""
    spec = PolicySpec(rules=listed, default=Verdict.DENY, mode=mode, on_denial=OnDenial.CANCEL)
    return [(each.kind, each.origin.line, each.message) for each in lint(spec, now=now)]


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        pytest.param(
            ["allow a.example.org:443", "deny **.example.org"],
            (
                K.SHADOWED,
                1,
                (
                    "allow a.example.org:443 (config.toml:1) never matches: "
                    "deny **.example.org (config.toml:2) comes before"
                ),
            ),
            id="a deny hides an allow",
        ),
        pytest.param(
            ["deny *", "allow a.example.org", "allow b.example.org", "allow 127.0.0.1:80"],
            (
                K.SHADOWING,
                1,
                (
                    "deny * (config.toml:1) hides 3 allow rules, "
                    "a.example.org (config.toml:2) among them"
                ),
            ),
            id="a deny hides everything",
        ),
        pytest.param(
            ["deny 10.0.0.0/8", "allow 10.1.0.0/16:5432"],
            (
                K.SHADOWED,
                2,
                (
                    "allow 10.1.0.0/16:5432 (config.toml:2) never matches: "
                    "deny 10.0.0.0/8 (config.toml:1) comes before"
                ),
            ),
            id="a block hides a block",
        ),
        pytest.param(
            ["allow example.org:443", "allow Example.org.:443"],
            (
                K.DUPLICATE,
                2,
                (
                    "allow Example.org.:443 (config.toml:2) says again what "
                    "example.org:443 (config.toml:1) says"
                ),
            ),
            id="an allow twice",
        ),
        pytest.param(
            ["deny example.org", "allow example.net", "deny example.org:*"],
            (
                K.DUPLICATE,
                3,
                (
                    "deny example.org:* (config.toml:3) says again what "
                    "example.org (config.toml:1) says"
                ),
            ),
            id="a deny twice",
        ),
        pytest.param(
            ["allow a.example.org:443", "allow **.example.org"],
            (
                K.COVERED,
                1,
                (
                    "allow a.example.org:443 (config.toml:1) adds nothing to "
                    "allow **.example.org (config.toml:2)"
                ),
            ),
            id="an allow within another",
        ),
        pytest.param(
            ["allow 10.0.0.1/32", "allow 10.0.0.1"],
            (
                K.COVERED,
                2,
                "allow 10.0.0.1 (config.toml:2) adds nothing to allow 10.0.0.1/32 (config.toml:1)",
            ),
            id="of two that are alike the second",
        ),
        pytest.param(
            ["allow *.corp.internal"],
            (
                K.LOCAL,
                1,
                (
                    "allow *.corp.internal (config.toml:1) never matches: "
                    "these are local names, each needs a rule that names it"
                ),
            ),
            id="a wildcard over local names",
        ),
    ],
)
def test_warned_of(lines: list[str], finding: tuple[FindingKind, int, str]) -> None:
    assert found(*rules(*lines)) == [finding]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([], id="nothing"),
        pytest.param(
            ["allow a.example.org", "allow b.example.org", "deny c.example.org"], id="three"
        ),
        pytest.param(["allow **.example.org", "deny a.example.org"], id="a deny within an allow"),
        pytest.param(["allow example.org", "deny example.org:443"], id="one port denied"),
        pytest.param(["allow example.org:443", "deny http://example.org"], id="a protocol denied"),
        pytest.param(["allow example.org:443", "allow example.org:80"], id="two ports"),
        pytest.param(["allow https://a.test:443", "allow http://a.test:443"], id="two protocols"),
        pytest.param(["allow *", "allow 127.0.0.1:80"], id="local beside everything"),
        pytest.param(["allow *:80", "allow localhost:80"], id="a special name beside everything"),
        pytest.param(["allow 0.0.0.0/0", "allow 10.0.0.0/8"], id="a local block in all of IPv4"),
        pytest.param(["allow a.corp.internal:80", "deny *.corp.internal:22"], id="a local name"),
        pytest.param(["deny *.corp.internal"], id="a deny over local names"),
    ],
)
def test_fine(lines: list[str]) -> None:
    assert found(*rules(*lines)) == []


def test_both_places_are_named_in_full_by_file() -> None:
    managed = rules("deny **.example.org", layer=Layer.MANAGED, file="/etc/requirements.toml")
    mine = rules("allow a.example.org")
    ((kind, line, message),) = found(*managed, *mine)
    assert (kind, line) == (K.SHADOWED, 1)
    assert "(config.toml:1)" in message
    assert "(requirements.toml:1)" in message


def test_layers_may_say_the_same() -> None:
    """A project says what it needs, whatever its users have said; so does a command line."""
    mine = rules("allow **.example.org", "deny example.net")
    theirs = rules(
        *("allow a.example.org", "allow **.example.org", "deny example.net"),
        layer=Layer.PROJECT,
        file="/p/netproxy.toml",
    )
    kinds = [(kind, line) for kind, line, _ in found(*mine, *theirs)]
    assert kinds == [(K.COVERED, 1)]  # within the project's own file


def test_a_bundle_that_is_used_twice_is_no_double() -> None:
    (rule,) = rules("allow example.org")
    assert found(rule, replace(rule)) == []


def test_an_expired_rule_is_said_to_be_one_and_nothing_else() -> None:
    allow, deny = rules("allow example.org:443", "deny *")
    listed = (replace(allow, expires_at=86400.0), replace(deny, expires_at=86400.0))
    assert [kind for kind, *_ in found(*listed, now=86399.0)] == [K.SHADOWED]
    assert found(*listed, now=86400.0) == [
        (
            K.EXPIRED,
            1,
            "allow example.org:443 (config.toml:1) expired at 1970-01-02 00:00 UTC, delete it",
        ),
        (K.EXPIRED, 2, "deny * (config.toml:2) expired at 1970-01-02 00:00 UTC, delete it"),
    ]


def test_a_deny_that_ends_earlier_hides_for_a_time_only() -> None:
    allow, deny = rules("allow example.org:443", "deny *")
    assert found(allow, replace(deny, expires_at=9.0)) == []


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (
            Mode.OFF,
            "mode off leaves no use for 2 allow rules, example.org:80 (config.toml:1) among them",
        ),
        (Mode.LIMITED, "mode limited leaves no use for allow https://a.test (config.toml:2)"),
    ],
    ids=str,
)
def test_a_mode_that_lets_nothing_through_is_said_once(mode: Mode, message: str) -> None:
    listed = rules("allow example.org:80", "allow https://a.test", "deny b.test")
    ((kind, _, said),) = found(*listed, mode=mode)
    assert (kind, said) == (K.MODE, message)


def test_a_condition_can_only_refuse_until_there_is_inspection() -> None:
    (rule,) = rules("allow example.org")
    assert found(replace(rule, condition=GET)) == [
        (
            K.INSPECTION,
            1,
            (
                "allow example.org (config.toml:1) asks for GET, "
                "which takes inspection: until then it only refuses"
            ),
        )
    ]


def test_a_condition_that_a_wider_rule_makes_void_is_named_across_files() -> None:
    wide, *_ = rules("allow **.example.org", layer=Layer.COMMAND_LINE, file="/elsewhere")
    (narrow,) = rules("allow a.example.org")
    kinds = {kind: said for kind, _, said in found(wide, replace(narrow, condition=GET))}
    assert kinds[K.COVERED] == (
        "allow a.example.org (config.toml:1) asks for GET, "
        "and allow **.example.org (elsewhere:1) allows the rest, too"
    )


def test_a_table_is_warned_of_once() -> None:
    """It stands for a rule for each protocol and port range, all at one place."""
    (deny,) = rules("deny *")
    table = [
        replace(rule, origin=replace(deny.origin, line=7))
        for rule in rules("allow https://a.test:443", "allow http://a.test:80")
    ]
    ((kind, line, _),) = found(deny, *table)
    assert (kind, line) == (K.SHADOWED, 7)
    conditional = [replace(rule, condition=GET) for rule in table]
    assert [kind for kind, *_ in found(*conditional)] == [K.INSPECTION, K.INSPECTION]


@given(st.lists(full_rules, max_size=8), destinations)
def test_a_rule_that_is_said_to_be_hidden_or_superfluous_changes_nothing(
    listed: list[Rule], asked: Destination
) -> None:
    listed = [
        replace(rule, origin=Origin(layer=Layer.USER, file="/f", line=line, column=1))
        for line, rule in enumerate(listed)
    ]
    for kind, line, _ in found(*listed):
        if kind in {K.SHADOWED, K.DUPLICATE, K.LOCAL, K.COVERED} and line is not None:
            without = [rule for rule in listed if rule.origin.line != line]
            before = policy(*listed).judge(asked, "GET", Memory())
            after = policy(*without).judge(asked, "GET", Memory())
            assert (before.verdict, before.reason) == (after.verdict, after.reason)


@pytest.mark.unmeasured
def test_a_long_list_is_looked_through_once() -> None:
    """A wide margin: with each compared to each it would be minutes."""
    listed = rules(
        *(f"allow h{number}.a{number % 100}.example.org" for number in range(10_000)),
        *(f"deny **.b{number}.example.org" for number in range(5_000)),
        *(f"allow api-{number}-*.example.net" for number in range(5_000)),
    )
    start = time.thread_time()
    assert found(*listed) == []
    assert time.thread_time() - start < 10
