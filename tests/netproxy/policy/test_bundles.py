"""A bundle is a name for rules, and each of its rules says where it stands."""

from __future__ import annotations

import pytest

from netproxy.errors import InvalidRule
from netproxy.policy.bundles import Bundle, expand, is_reference
from netproxy.policy.layers import Statement
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import ANY_PORT, DEFAULT_PORTS, Effect

ORIGIN = Origin(
    layer=Layer.USER,
    file="/home/me/config.toml",
    line=3,
    column=5,
    key="bundles.python[0]",
    bundle="python",
)
BUNDLES = {"python": Bundle(name="python", entries=(Statement("pypi.org", ORIGIN),))}


def test_a_reference_is_told_from_a_rule() -> None:
    assert is_reference("@python")
    assert not is_reference("pypi.org")


@pytest.mark.parametrize(
    ("effect", "ports"),
    [(Effect.ALLOW, DEFAULT_PORTS[Effect.ALLOW]), (Effect.DENY, (ANY_PORT,))],
    ids=["allow", "deny"],
)
def test_an_entry_is_read_as_what_its_user_means(effect: Effect, ports: object) -> None:
    (rule,) = expand("@python", effect, BUNDLES, layer=Layer.USER)
    assert (rule.effect, rule.ports) == (effect, ports)
    assert rule.origin == ORIGIN
    assert rule.label == "pypi.org (config.toml:3 @python)"


def test_the_layer_is_that_of_whoever_uses_it() -> None:
    """What the command line allows is the command line's, wherever the words stand."""
    (rule,) = expand("@python", Effect.ALLOW, BUNDLES, layer=Layer.COMMAND_LINE)
    assert rule.origin.layer is Layer.COMMAND_LINE


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("@pyton", "there is no bundle 'pyton', did you mean python?"),
        ("@", "there is no bundle ''"),
        ("@\x1b", r"there is no bundle '\x1b'"),
    ],
)
def test_an_unknown_bundle(text: str, problem: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        expand(text, Effect.ALLOW, BUNDLES, layer=Layer.USER)
    assert str(caught.value) == problem
