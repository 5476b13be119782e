"""The short form: what it means, how it is written back, and what is refused with which advice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidRule
from netproxy.model import Protocol
from netproxy.policy.origin import Layer, Origin
from netproxy.policy.rules import Effect, Rule, parse_ports, parse_protocol, parse_rule
from tests.support.policies import allow, deny
from tests.support.rule_texts import allows, denies

WEB = ((80, 80), (443, 443))
EVERY = ((1, 65535),)


@pytest.mark.parametrize(
    ("text", "effect", "protocol", "ports"),
    [
        pytest.param("example.org", Effect.ALLOW, None, WEB, id="allow without a port is the web"),
        pytest.param("example.org", Effect.DENY, None, EVERY, id="deny without a port is all"),
        pytest.param("example.org:443", Effect.ALLOW, None, ((443, 443),), id="port"),
        pytest.param("example.org:8000-8999", Effect.ALLOW, None, ((8000, 8999),), id="range"),
        pytest.param("example.org:*", Effect.ALLOW, None, EVERY, id="any port"),
        pytest.param("https://example.org", Effect.ALLOW, Protocol.HTTPS, WEB, id="protocol"),
        pytest.param("HTTPS://example.org", Effect.ALLOW, Protocol.HTTPS, WEB, id="scheme case"),
        pytest.param(
            "socks5-tcp://g.example.org:22",
            Effect.ALLOW,
            Protocol.SOCKS5_TCP,
            ((22, 22),),
            id="both",
        ),
        pytest.param("[::1]:443", Effect.ALLOW, None, ((443, 443),), id="IPv6"),
        pytest.param("10.0.0.0/8:5432", Effect.ALLOW, None, ((5432, 5432),), id="block"),
        pytest.param("[2001:db8::/32]:443", Effect.DENY, None, ((443, 443),), id="IPv6 block"),
        pytest.param("*:22", Effect.DENY, None, ((22, 22),), id="any host"),
        pytest.param("https:8443", Effect.ALLOW, None, ((8443, 8443),), id="host named https"),
    ],
)
def test_read(
    text: str, effect: Effect, protocol: Protocol | None, ports: tuple[tuple[int, int], ...]
) -> None:
    rule = parse_rule(text, effect, origin=Origin(layer=Layer.COMMAND_LINE, key="here"))
    assert (rule.protocol, rule.ports) == (protocol, ports)
    assert rule.label == f"{text} (here)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the rule is empty"),
        ("a b", "holds ' '"),
        ("a\nb", r"holds '\n'"),
        ("a\u202eb#", r"holds '\u202e'"),
        ("'example.org'", "holds"),
        ("example.org,example.net", "write a rule for each"),
        ("example.org:80,443", "write a rule for each"),
        ("user@example.org", "user name"),
        ("https://example.org/path", "did you mean https://example.org?"),
        ("https://example.org/", "did you mean https://example.org?"),
        ("https://example.org:443/a:b", "did you mean https://example.org:443?"),
        ("example.org?q", "did you mean example.org?"),
        ("example.org#f", "did you mean example.org?"),
        ("1password.com/x", "did you mean 1password.com?"),
        ("http//example.org", "did you mean http://example.org?"),
        ("http:/example.org", "did you mean http://example.org?"),
        ("http:example.org", "did you mean http://example.org?"),
        ("htps://example.org", "did you mean https?"),
        ("socks5://example.org", "did you mean socks5-tcp?"),
        ("ssh://example.org", "did you mean tcp?"),
        ("qqqq://example.org", "is not one of http, https, socks5-tcp, socks5-udp, tcp"),
        ("://example.org", "is not one of"),
        ("2001:db8::1:443", "did you mean [2001:db8::1:443]?"),
        ("2001:db8::/32", "did you mean [2001:db8::/32]?"),
        ("::/0:443", "did you mean [::/0]:443?"),
        ("x:y:z", "'y:z' is not a number"),
        ("[::1", "not closed"),
        ("[example.org]:443", "did you mean example.org:443?"),
        ("[127.0.0.1]:443", "did you mean 127.0.0.1:443?"),
        ("[2001:db8::]/32:443", "did you mean [2001:db8::/32]:443?"),
        ("[2001:db8::]/32", "did you mean [2001:db8::/32]?"),
        ("[::1]443", "after ] comes :port"),
        ("example.org:", "port ''"),
        ("example.org:0", "port '0'"),
        ("example.org:65536", "port '65536'"),
        ("example.org:0443", "port '0443'"),
        ("example.org:+443", "port '+443'"),
        ("example.org:https", "port 'https'"),
        ("example.org:90-80", "did you mean 80-90?"),
        ("example.org:80-", "port ''"),
        ("example.org:1-2-3", "port '2-3'"),
        ("*.com:443", "did you mean *.example.com?"),
        (":443", "the host is empty"),
        ("%00.example.org", "holds '%'"),
    ],
)
def test_refused_with_what_was_probably_meant(text: str, says: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        allow(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("HTTPS://Example.ORG.:443", "https://example.org:443"),
        ("example.org:80-80", "example.org:80"),
        ("example.org:1-65535", "example.org:*"),
        ("[::FFFF:10.0.0.0/104]", "10.0.0.0/8"),
        ("[2001:DB8:0::1]:443", "[2001:db8::1]:443"),
    ],
)
def test_written_in_one_way(text: str, canonical: str) -> None:
    assert str(allow(text)) == canonical


def test_a_deny_of_every_port_is_written_without_one() -> None:
    assert str(deny("example.org:*")) == "example.org"


@given(allows | denies)
def test_what_is_written_is_the_same_rule_when_read(rule: Rule) -> None:
    again = parse_rule(str(rule), rule.effect)
    assert again == rule
    assert str(again) == str(rule)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_refused_in_one_printable_line(text: str) -> None:
    said = ""
    try:
        allow(text)
    except InvalidRule as error:
        said = str(error)
    assert said.isprintable()


@given(st.sampled_from(list(Protocol)), st.integers(1, 65535), st.integers(1, 65535))
def test_ports_and_protocols_cover_what_they_say(protocol: Protocol, low: int, high: int) -> None:
    low, high = sorted((low, high))
    rule = allow(f"{protocol}://example.org:{low}-{high}")
    for port in {low, high, max(1, low - 1), min(65535, high + 1)}:
        assert rule.covers(protocol, port) == (low <= port <= high)
    for other in set(Protocol) - {protocol}:
        assert not rule.covers(other, low)


def test_parts() -> None:
    assert parse_ports("*") == (1, 65535)
    assert parse_protocol("tcp") is Protocol.TCP
