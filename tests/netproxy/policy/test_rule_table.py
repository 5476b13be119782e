"""What is written is what was meant, whatever a reviewer is called and says."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.model import Destination, OnDenial, Protocol, Verdict
from netproxy.policy.engine import compile_policy
from netproxy.policy.layers import merged
from netproxy.policy.loader import load
from netproxy.policy.origin import Layer
from netproxy.policy.rule_table import has_rule, rule_table

WHERE = Destination("pypi.org", 443, Protocol.HTTPS)


def test_it_reads_as_a_person_would_have_written_it() -> None:
    text = rule_table("dev", WHERE, Verdict.DENY, on_denial=OnDenial.BLOCK, reason="no")
    assert text == (
        "[[profiles.dev.network.rules]]\n"
        'host = "pypi.org"\n'
        "ports = [443]\n"
        'protocols = ["https"]\n'
        'verdict = "deny"\n'
        'reason = "no"\n'
        'on_denial = "block"\n'
    )


@given(
    profile=st.text(min_size=1, max_size=30).filter(
        lambda text: text.isprintable() and text.strip()
    ),
    reason=st.text(min_size=1, max_size=400),
    host=st.sampled_from(["pypi.org", "192.0.2.7", "2001:db8::1", "xn--mnchen-3ya.de"]),
    port=st.integers(1, 65535),
    protocol=st.sampled_from(Protocol),
)
def test_the_rule_is_for_that_destination_and_no_word_adds_anything(
    profile: str, reason: str, host: str, port: int, protocol: Protocol
) -> None:
    where = Destination(host, port, protocol)
    said = f"approved by {reason}"
    text = rule_table(profile, where, Verdict.ALLOW, on_denial=None, reason=said)
    raw = tomllib.loads(text)
    (table,) = raw["profiles"][profile]["network"]["rules"]
    assert set(table) == {"host", "ports", "protocols", "verdict", "reason"}
    document = load(text, "config.toml", layer=Layer.USER)
    (rule,) = document.profiles[profile].rules
    assert rule.covers(protocol, port)
    assert not rule.covers(protocol, port % 65535 + 1)
    assert compile_policy(merged(document.profiles.values()), now=0).allow_rule(where) is not None


@pytest.mark.parametrize("length", [200, 201, 10_000])
def test_a_long_comment_is_cut_to_what_a_reason_may_have(length: int) -> None:
    text = rule_table("dev", WHERE, Verdict.ALLOW, on_denial=None, reason="x" * length)
    (rule,) = load(text, "config.toml", layer=Layer.USER).profiles["dev"].rules
    assert rule.reason is not None
    assert len(rule.reason) == 200
    assert rule.reason.endswith("…") is (length > 200)


def test_what_was_written_is_found_again() -> None:
    text = rule_table("dev", WHERE, Verdict.ALLOW, on_denial=None, reason="so")
    assert has_rule(f"[profiles.other]\n{text}", WHERE, Verdict.ALLOW)
    assert not has_rule(text, WHERE, Verdict.DENY)
    assert not has_rule(text, Destination("pypi.org", 80, Protocol.HTTPS), Verdict.ALLOW)
    with pytest.raises(ValueError, match="Expected"):
        has_rule("[half", WHERE, Verdict.ALLOW)


@pytest.mark.parametrize(
    "text", ["", "profiles = 1", "[profiles]\ndev = 1", "[profiles.dev.network]\nrules = [1]"]
)
def test_a_file_of_another_shape_has_no_rule(text: str) -> None:
    assert not has_rule(text, WHERE, Verdict.ALLOW)
