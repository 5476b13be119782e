"""One explanation: complete as fields, short for people, and nobody's words move the cursor."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given

from netproxy.app.cli.explanation import Explained, Found, fields, lines, vetted
from netproxy.model import OnDenial, Verdict
from netproxy.policy.conditions import Condition
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.trace import trace
from tests.support.any_policy import NOW, at, policies
from tests.support.policies import allow, deny, policy, to
from tests.support.rule_texts import destinations

if TYPE_CHECKING:
    from netproxy.model import Destination
    from netproxy.policy.engine import Policy

DENY = replace(
    at(deny("evil.b.example"), Layer.USER, 7),
    reason="no telemetry",
    expires_at=NOW + 60,
    on_denial=OnDenial.BLOCK,
)


def explained(made: Policy, asked: str | Destination, found: Found | None = None) -> Explained:
    where = to(asked) if isinstance(asked, str) else asked
    return Explained(given="as given", trace=trace(made, where, "CONNECT", now=NOW), found=found)


def told(made: Policy, asked: str, found: Found | None = None) -> list[str]:
    return list(lines(explained(made, asked, found), colour=False))


def test_a_denial_for_people() -> None:
    made = policy(DENY, allow("*.b.example:80"), default=Verdict.ASK)
    why = "evil.b.example:443 is denied by rule evil.b.example (config.toml:7): no telemetry"
    change = "remove deny evil.b.example (config.toml:7), and --allow https://evil.b.example:443"
    assert told(made, "evil.b.example:443") == [
        "deny   https://evil.b.example:443  denied_by_rule",
        f"  why     {why}",
        "  rule    deny evil.b.example at /home/me/config.toml:7:5 k (user)",
        "          until 2027-01-15T08:01:00Z",
        "          on denial: block",
        "  steps   managed deny rules: there are none",
        "          deny rules: evil.b.example (config.toml:7) matches",
        "  layers  user: deny evil.b.example (config.toml:7)",
        '          defaults: default = "ask"',
        '          defaults: mode = "full"',
        "  near    allow *.b.example:80 (--allow #1) is for port 80",
        f"  change  to allow it: {change}",
    ]


def test_an_allow_for_people() -> None:
    rule = replace(allow("xn--mnchen-3ya.example"), reason="our site")
    first, why, *_, last = told(policy(rule), "xn--mnchen-3ya.example:443")
    assert first == (
        "allow  https://xn--mnchen-3ya.example:443 (m\u00fcnchen.example)  allowed_by_rule"
    )
    assert why.endswith("is allowed by rule xn--mnchen-3ya.example (--allow #1): our site")
    assert last == "  change  to deny it: --deny https://xn--mnchen-3ya.example:443"


def test_an_allow_by_default_has_no_rule() -> None:
    made = policy(default=Verdict.ALLOW)
    assert 'is allowed by default = "allow"' in told(made, "a.example:443")[1]
    assert fields(explained(made, "a.example:443"))["rule"] is None


def test_a_condition_is_shown() -> None:
    rule = replace(allow("a.example"), condition=Condition(methods=("GET",)))
    assert "          only for GET" in told(policy(rule), "a.example:443")
    assert fields(explained(policy(rule), "a.example:443"))["rule"]["condition"] == "GET"


def test_a_rule_from_a_bundle_names_it() -> None:
    origin = Origin(layer=Layer.USER, file="/c.toml", line=1, column=2, key="b", bundle="python")
    made = policy(replace(allow("pypi.org"), origin=origin))
    assert "  rule    allow pypi.org at /c.toml:1:2 b (user, from @python)" in told(
        made, "pypi.org:443"
    )


def test_the_verdict_is_coloured_and_nothing_else_moves_the_cursor() -> None:
    hostile = replace(DENY, reason="\x1b[2J\u202enice")
    made = policy(hostile)
    shown = "\n".join(lines(explained(made, "evil.b.example:443"), colour=True))
    assert shown.startswith("\x1b[31mdeny \x1b[0m  https://")
    assert "\x1b[2J" not in shown
    assert "\\u001b[2J\\u202enice" in shown


def test_what_is_no_destination() -> None:
    bad = Explained(given="a\x1b[31m..b", trace=None, problem="'a..b' has an empty label")
    assert list(lines(bad, colour=False)) == [
        "deny   a\\u001b[31m..b  invalid_destination",
        "  why     'a..b' has an empty label",
    ]
    said = fields(bad)
    assert (said["verdict"], said["reason"], said["host"]) == ("deny", "invalid_destination", None)
    assert said.keys() == fields(explained(policy(), "a.example:443")).keys()


def test_addresses_say_what_they_are_and_whether_they_are_dialled() -> None:
    made = policy(allow("a.example"))
    where = to("a.example:443")
    found = vetted(made, made.vet(where, ("93.184.216.34", "10.0.0.1")))
    assert fields(explained(made, where, found))["addresses"] == [
        {"address": "93.184.216.34", "class": "public", "dialled": True},
        {"address": "10.0.0.1", "class": "private", "dialled": False},
    ]
    none = vetted(made, made.vet(where, ("10.0.0.1",)))
    shown = told(made, "a.example:443", none)
    assert "  lookup  10.0.0.1 (private): refused" in shown
    assert (
        "          a.example resolves to a private address; --allow-private 10.0.0.1/32 opens it"
    ) in shown


def test_why_there_are_no_addresses() -> None:
    assert "  lookup  not looked up" in told(policy(), "a.example:443", Found(note="not looked up"))


RULE = {
    "effect": "deny",
    "text": "evil.b.example",
    "layer": "user",
    "file": "/home/me/config.toml",
    "line": 7,
    "column": 5,
    "key": "k",
    "bundle": None,
    "reason": "no telemetry",
    "condition": None,
    "expires": "2027-01-15T08:01:00Z",
    "on_denial": "block",
}


def test_the_fields() -> None:
    assert fields(explained(policy(DENY), "evil.b.example:443")) == {
        "destination": "as given",
        "host": "evil.b.example",
        "host_unicode": "evil.b.example",
        "address_class": None,
        "port": 443,
        "protocol": "https",
        "method": "CONNECT",
        "verdict": "deny",
        "reason": "denied_by_rule",
        "source": "baseline_policy",
        "explanation": (
            "evil.b.example:443 is denied by rule evil.b.example (config.toml:7): no telemetry"
        ),
        "rule": RULE,
        "steps": [
            {"step": "managed deny rules", "found": "there are none"},
            {"step": "deny rules", "found": "evil.b.example (config.toml:7) matches"},
        ],
        "layers": {
            "user": ["deny evil.b.example (config.toml:7)"],
            "defaults": ['default = "deny"', 'mode = "full"'],
        },
        "near": [],
        "change": {
            "text": (
                "remove deny evil.b.example (config.toml:7), and --allow https://evil.b.example:443"
            ),
            "flag": "--allow https://evil.b.example:443",
            "line": 'allow = ["https://evil.b.example:443"]',
            "remove": [RULE],
            "full_mode": False,
            "possible": True,
        },
    }


def test_a_near_miss_as_fields() -> None:
    near = fields(explained(policy(allow("a.example:80")), "a.example:443"))["near"]
    assert (near[0]["lacks"], near[0]["text"]) == ("is for port 80", "a.example:80")


@given(made=policies(), asked=destinations)
def test_any_policy_can_be_told_and_is_told_alike(made: Policy, asked: Destination) -> None:
    one = explained(made, asked)
    said: dict[str, Any] = fields(one)
    json.dumps(said)
    first, why, *_ = lines(one, colour=False)
    assert first.split()[0] == said["verdict"]
    assert why.endswith(said["explanation"])
