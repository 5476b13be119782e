"""A hostile client spells a destination so that policy and resolver read it differently.

Defence: `netproxy.policy.hosts` has one spelling for a host and refuses the rest before any rule is
looked at, and nothing is resolved or dialled but that one spelling. Each case goes in the way its
wire brings it: as an authority (CONNECT, absolute form) and as a field of bytes (SOCKS5).
"""

from __future__ import annotations

import contextlib
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netproxy.errors import InvalidDestination, InvalidRule
from netproxy.model import Destination, Protocol, Reason, Verdict
from netproxy.policy.hosts import canonical_host, destination, is_address, parse_authority
from tests.support.policies import Memory, allow, deny, policy

# All that a careless suffix or default would let through.
OPEN = policy(allow("**.allowed.test"), allow("*:*"), deny("denied.test"), default=Verdict.ALLOW)
NARROW = policy(allow("allowed.test"), allow("*.allowed.test"))

LOOPBACK_NUMBERS = [
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0x0",
    "00.0.0.0",
    "127.0.0.01",
    "0x7f.0x0.0x0.0x1",
]


def _numeric(text: str) -> set[str]:
    """What the C library's own parsers make of a text, without a lookup."""
    found = set()
    with contextlib.suppress(OSError, ValueError):
        found.add(socket.inet_ntoa(socket.inet_aton(text)))
    with contextlib.suppress(OSError, ValueError):
        answers = socket.getaddrinfo(text, None, flags=socket.AI_NUMERICHOST)
        found |= {str(answer[4][0]) for answer in answers}
    return {canonical_host(each) for each in found}


def _spellings(number: int) -> st.SearchStrategy[str]:
    """Write an address in one to four parts of decimal, octal and hex, as inet_aton reads it."""
    octets = number.to_bytes(4)
    part = st.sampled_from(["d", "o", "x", "#x"])
    return st.integers(1, 4).flatmap(
        lambda parts: st.lists(part, min_size=parts, max_size=parts).map(
            lambda bases: ".".join(
                _digits(value, base)
                for value, base in zip(
                    (*octets[: parts - 1], int.from_bytes(octets[parts - 1 :])), bases, strict=True
                )
            )
        )
    )


def _digits(value: int, base: str) -> str:
    return f"0{value:o}" if base == "o" else format(value, base)


def reason(host: str, port: int = 443) -> Reason | None:
    """What the policy says of a host that came as bytes; None where it is let through."""
    try:
        asked = destination(host.encode("utf-8"), port, Protocol.SOCKS5_TCP)
    except InvalidDestination:
        return Reason.INVALID_DESTINATION
    said = OPEN.judge(asked, "none", Memory())
    return None if said.verdict is Verdict.ALLOW else said.reason


@pytest.mark.parametrize("number", LOOPBACK_NUMBERS)
def test_numbers_that_become_loopback_are_no_hosts(number: str) -> None:
    """S1, S10: the C library takes each of these for an address of this machine."""
    assert socket.inet_ntoa(socket.inet_aton(number)) in {"127.0.0.1", "0.0.0.0"}
    assert reason(number) is Reason.INVALID_DESTINATION
    with pytest.raises(InvalidDestination):
        parse_authority(f"{number}:80", default_port=None)


@given(
    st.from_regex(
        r"(?:0[xX])?[0-9a-fA-F]{1,11}(?:\.(?:0[xX])?[0-9a-fA-F]{0,4}){0,4}", fullmatch=True
    )
    | st.text("0123456789abcdefxX.:%[]-_ \t\0\u3002\uff11\u2460", max_size=18)
    | st.ip_addresses(v=4).map(int).flatmap(_spellings)
)
@example("0x7f.1")
@example("127.0.0.1\n")
@example("1.2.3.4 x")
def test_no_text_that_a_resolver_takes_for_an_address_passes_as_a_name(text: str) -> None:
    """S1, S10, S16, whatever somebody makes of them: a name is no address to anybody below us."""
    try:
        host = canonical_host(text)
    except InvalidDestination:
        return
    for spelling in (text, host):
        if not is_address(host):
            assert _numeric(spelling) == set()
        elif "." in host:
            assert _numeric(spelling) <= {host}


def test_a_label_that_breaks_the_decoder_is_no_host_and_not_our_failure() -> None:
    """CPython's punycode overflows on it: an error nobody declared would leave no record."""
    label = f"xn--{'2' * 41}drb"
    with pytest.raises(OverflowError):
        label.removeprefix("xn--").encode().decode("punycode")
    assert reason(f"{label}.test") is Reason.INVALID_DESTINATION


@pytest.mark.parametrize("host", ["127.0.0.1\0.allowed.test", "evil.test\0.allowed.test"])
def test_a_name_is_not_cut_at_nul(host: str) -> None:
    """S16: a suffix rule sees the end of the name, the resolver its beginning."""
    assert host.endswith(".allowed.test")
    assert reason(host) is Reason.INVALID_DESTINATION
    with pytest.raises(InvalidDestination):
        parse_authority(f"{host}:443", default_port=None)


@pytest.mark.parametrize(
    "authority",
    [
        "allowed.test@evil.test:443",
        "user:pw@evil.test:443",
        "evil.test#@allowed.test:443",
        "allowed.test\\@evil.test:443",
        "evil.test%00.allowed.test:443",
        "evil.test/.allowed.test:443",
        "evil.test?.allowed.test:443",
        "evil.test .allowed.test:443",
        "evil.test\t.allowed.test:443",
        "evil.test\x0b.allowed.test:443",
        "evil.test\r\nHost: allowed.test:443",
        ".allowed.test:443",
        "..allowed.test:443",
        "a..allowed.test:443",
        "allowed.test..:443",
        "*.allowed.test:443",
        "*:443",
        "[allowed.test]:443",
        "[::1%25.allowed.test]:443",
        "[::ffff:1.2.3.4%x.allowed.test]:443",
        "[fe80::1%25eth0]:443",
        "[::1].allowed.test:443",
        f"{'a' * 64}.allowed.test:443",
        f"{'a.' * 130}allowed.test:443",
        "\u2100.allowed.test:443",
        "xn--\0.allowed.test:443",
    ],
    ids=repr,
)
def test_an_authority_has_one_reading(authority: str) -> None:
    """S12, S17, S18; sandbox cases 2, 5, 6, 14: refused whole, never mended into a match."""
    with pytest.raises(InvalidDestination):
        parse_authority(authority, default_port=None)
    assert reason(authority.rpartition(":")[0]) is Reason.INVALID_DESTINATION


@pytest.mark.parametrize(
    "port",
    [
        "0",
        "65536",
        "+443",
        "0443",
        " 443",
        "443 ",
        "",
        "4294967739",
        "65979",
        "-1",
        "\uff14\uff14\uff13",
    ],
    ids=repr,
)
def test_a_port_does_not_wrap(port: str) -> None:
    """S21: 2^32+443 and 2^16+443 are not 443."""
    with pytest.raises(InvalidDestination):
        parse_authority(f"allowed.test:{port}", default_port=80)
    with pytest.raises(InvalidDestination):
        destination("allowed.test", port, Protocol.HTTPS)


@pytest.mark.parametrize(
    "spelling",
    ["denied.test.", "DENIED.test", "Denied.TEST.", "\uff44enied.test", "denied\u3002test"],
)
def test_no_spelling_of_a_denied_name_is_another_name(spelling: str) -> None:
    """S13, S14: one key, whatever the dots, the case or the width."""
    asked = destination(spelling, 443, Protocol.HTTPS)
    assert asked == destination("denied.test", 443, Protocol.HTTPS)
    assert OPEN.judge(asked, "CONNECT", Memory()).reason is Reason.DENIED_BY_RULE


@pytest.mark.parametrize(
    "host",
    [
        "notallowed.test",
        "allowed.test.evil.test",
        "allowed.testing",
        "xallowed.test",
        "test",
        "a.notallowed.test",
        "allowed-test",
        "10.evil.test",
        "192.168.evil.test",
    ],
)
def test_a_name_that_resembles_an_allowed_one_is_not_it(host: str) -> None:
    """S15, S19; sandbox case 7."""
    asked = destination(host, 443, Protocol.HTTPS)
    assert NARROW.judge(asked, "CONNECT", Memory()).verdict is Verdict.DENY


def test_a_wildcard_does_not_cover_its_apex() -> None:
    """Sandbox case 8: `*.d` is below d, `**.d` is d and below."""
    apex = destination("allowed.test", 443, Protocol.HTTPS)
    assert policy(allow("*.allowed.test")).judge(apex, "", Memory()).verdict is Verdict.DENY
    assert policy(allow("**.allowed.test")).judge(apex, "", Memory()).verdict is Verdict.ALLOW


@pytest.mark.parametrize("rule", ["*.allowed.test", "**.allowed.test", "a*.allowed.test"])
@pytest.mark.parametrize("literal", ["8.8.8.8", "2606:4700::1"])
def test_a_name_rule_never_matches_a_literal(rule: str, literal: str) -> None:
    """Sandbox cases 14, 19: a raw address is a destination of its own."""
    asked = destination(literal, 443, Protocol.HTTPS)
    assert policy(allow(rule)).judge(asked, "CONNECT", Memory()).verdict is Verdict.DENY


@pytest.mark.parametrize("other", [p for p in Protocol if p is not Protocol.HTTPS])
def test_an_approval_is_for_its_protocol_and_port(other: Protocol) -> None:
    """Sandbox cases 17, 18: what a person said yes to is (host, protocol, port)."""
    granted = destination("allowed.test", 443, Protocol.HTTPS)
    memory = Memory(granted={granted})
    strict = policy()
    assert strict.judge(granted, "CONNECT", memory).verdict is Verdict.ALLOW
    for port in (443, 22, 80):
        asked = Destination(host="allowed.test", port=port, protocol=other)
        assert strict.judge(asked, "CONNECT", memory).verdict is Verdict.DENY


@pytest.mark.parametrize("other", [p for p in Protocol if p is not Protocol.HTTPS])
def test_a_rule_for_one_protocol_and_port_is_for_no_other(other: Protocol) -> None:
    """Sandbox case 17, S35: SSH over SOCKS is not what `https://allowed.test:443` allows."""
    strict = policy(allow("https://allowed.test:443"))
    for port, protocol in ((22, Protocol.HTTPS), (443, other), (22, other)):
        asked = Destination(host="allowed.test", port=port, protocol=protocol)
        assert strict.judge(asked, "CONNECT", Memory()).verdict is Verdict.DENY


def test_a_homoglyph_is_seen_for_what_it_is() -> None:
    """Sandbox case 11: Cyrillic er and a; records and questions show the A-label."""
    assert canonical_host("\u0440\u0430ypal.com") == "xn--ypal-43d9g.com"


@pytest.mark.parametrize(
    "entry",
    [
        "*.com",
        "**.com",
        "*.co.uk",
        "*.github.io",
        "a*.co.uk",
        "ok.test\nevil.test",
        "ok.test evil.test",
        "ok.test,evil.test",
        "'ok.test'",
        '"ok.test"',
        "ok.test`id`",
        "2001:db8::1:443",
        "127.1",
        "0x7f.1:80",
        "%6fk.test",
        "ok.test\x1b[2J",
        "ok\u202etest",
        "-ok.test",
        "ok.test:0",
        "ok.test:+443",
    ],
    ids=repr,
)
def test_a_rule_has_one_reading_too(entry: str) -> None:
    """Sandbox cases 9, 10, 15: refused at load, not accepted and never matching."""
    for read in (allow, deny):
        with pytest.raises(InvalidRule):
            read(entry)
