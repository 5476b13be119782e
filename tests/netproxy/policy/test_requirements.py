"""The managed file becomes bounds, each with its place; what it can't bound is an error."""

from __future__ import annotations

import pytest

from netproxy.errors import InvalidSettings
from netproxy.model import OnDenial, Sni
from netproxy.policy.bounds import Bounds
from netproxy.policy.origin import Layer
from netproxy.policy.requirements import load_requirements
from netproxy.policy.rules import Effect
from netproxy.policy.spec import Mode

WHOLE = """\
[network]
deny = ["**.tracker.example"]
allow = ["**.example.org"]
allow_private = ["10.0.0.0/8"]
mode = "limited"
on_denial = "cancel"
sni = "refuse"
may_ask = false

[[network.rules]]
host = "db.example.org"
verdict = "deny"
reason = "production"

[approvals]
max_scope = "once"
max_seconds = 60

[audit]
mode = "written"

[sandbox]
required = true
expose = false
unix = ["/run/x.sock"]
"""


def test_everything_that_it_may_say() -> None:
    bounds = load_requirements(WHOLE, "/etc/r.toml")
    assert [rule.label for rule in bounds.deny] == [
        "**.tracker.example (r.toml:2)",
        "db.example.org (r.toml:10)",
    ]
    assert {rule.origin.layer for rule in bounds.deny} == {Layer.MANAGED}
    assert {rule.effect for rule in bounds.deny} == {Effect.DENY}
    assert bounds.deny[1].reason == "production"
    assert bounds.allow is not None
    assert [str(rule) for rule in bounds.allow.value] == ["**.example.org"]
    assert bounds.allow.origin.place == "/etc/r.toml:3:1 network.allow"
    assert bounds.allow_private is not None
    assert [str(block) for block in bounds.allow_private.value] == ["10.0.0.0/8"]
    assert bounds.mode is not None
    assert bounds.mode.value is Mode.LIMITED
    assert bounds.on_denial is not None
    assert bounds.on_denial.value is OnDenial.CANCEL
    assert bounds.sni is not None
    assert bounds.sni.value is Sni.REFUSE
    assert bounds.max_scope is not None
    assert bounds.max_scope.value == "once"
    assert bounds.max_seconds is not None
    assert bounds.max_seconds.value == 60
    assert bounds.forbids_asking
    assert bounds.requires_sandbox
    assert bounds.sandbox_expose is not None
    assert not bounds.sandbox_expose.value
    assert bounds.sandbox_unix is not None
    assert bounds.sandbox_unix.value == ("/run/x.sock",)


def test_an_empty_file_bounds_nothing() -> None:
    assert load_requirements("", "r.toml") == Bounds()


def test_an_empty_ceiling_is_a_ceiling() -> None:
    bounds = load_requirements("[network]\nallow = []\nallow_private = []\n", "r.toml")
    assert bounds.allow is not None
    assert bounds.allow.value == ()
    assert bounds.allow_private is not None
    assert bounds.allow_private.value == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[network]\nalow = []", "r.toml:2:1 network.alow: unknown key", id="misspelt"),
        pytest.param("[network]\ndeny = ['*.com']", "2:9 network.deny[0]: '*.com'", id="suffix"),
        pytest.param("[network]\non_denial = 'block'", "on_denial: 'block' is not", id="on_denial"),
        pytest.param("[network]\nsni = 'record'", "network.sni: 'record' is not", id="sni"),
        pytest.param("[network]\nmay_ask = 'no'", "network.may_ask: ", id="no truth"),
        pytest.param("[network]\ndeny = ['@python']", "no bundle may stand here", id="bundle"),
        pytest.param(
            "[[network.rules]]\nhost = 'a.test'\nverdict = 'allow'",
            "r.toml:3:1 network.rules[0].verdict: must be 'deny'",
            id="an allow as a table",
        ),
        pytest.param("[approvals]\nmax_scope = 'ever'", "max_scope: 'ever'", id="scope"),
        pytest.param("[approvals]\nmax_seconds = 0", "approvals.max_seconds", id="no time"),
        pytest.param("[audit]\nmode = 'off'", "audit.mode: 'off' is not one of", id="audit mode"),
        pytest.param("[profiles.a]", "profiles: unknown key", id="a user's key"),
    ],
)
def test_what_it_may_not_say(text: str, problem: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        load_requirements(text, "r.toml")
    assert any(problem in line for line in raised.value.problems), raised.value.problems
