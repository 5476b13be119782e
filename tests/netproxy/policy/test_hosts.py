"""One spelling for a destination, and no other."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netproxy.errors import InvalidDestination
from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import (
    canonical_host,
    canonical_port,
    destination,
    is_address,
    parse_authority,
    shown,
    unicode_form,
)

LONG_LABEL = "a" * 63
LONG_NAME = ".".join([LONG_LABEL] * 3 + ["a" * 61])  # 253 characters


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("example.org", "example.org", id="plain"),
        pytest.param("EXAMPLE.Org", "example.org", id="case"),
        pytest.param("example.org.", "example.org", id="one trailing dot"),
        pytest.param("Example.ORG.", "example.org", id="case and trailing dot"),
        pytest.param("localhost", "localhost", id="single label"),
        pytest.param("_dmarc.build_cache.example.org", None, id="underscores"),
        pytest.param("r3---sn-x.googlevideo.com", None, id="hyphens at three and four"),
        pytest.param("1password.com", None, id="label begins with a digit"),
        pytest.param("host.4you", None, id="last label begins with a digit"),
        pytest.param("10.evil.test", None, id="S19 looks like a private prefix, is a name"),
        pytest.param(f"{LONG_LABEL}.org", None, id="longest label"),
        pytest.param(LONG_NAME, None, id="longest name"),
        pytest.param(f"{LONG_NAME}.", LONG_NAME, id="longest name with its dot"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="IDNA"),
        pytest.param("BÜCHER.example", "xn--bcher-kva.example", id="IDNA case"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="A-label case"),
        pytest.param("bücher。example", "xn--bcher-kva.example", id="ideographic full stop"),
        pytest.param(
            "\uff44\uff45\uff4e\uff49\uff45\uff44.test", "denied.test", id="S14 full-width"
        ),
        pytest.param("faß.de", "xn--fa-hia.de", id="non-transitional"),
        pytest.param("\u0440\u0430ypal.com", "xn--ypal-43d9g.com", id="homoglyph is another name"),
        pytest.param("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example", id="both"),
        pytest.param("192.0.2.7", None, id="dotted quad"),
        pytest.param("0.0.0.0", None, id="dotted quad of zeros"),
        pytest.param("127.0.0.1.", "127.0.0.1", id="dotted quad with a trailing dot"),
        pytest.param("2001:DB8::1", "2001:db8::1", id="IPv6 case"),
        pytest.param("2001:db8:0:0:0:0:0:1", "2001:db8::1", id="IPv6 compressed"),
        pytest.param("::ffff:127.0.0.1", "127.0.0.1", id="S3 mapped"),
        pytest.param("::ffff:7f00:1", "127.0.0.1", id="S3 mapped in hex"),
        pytest.param("::FFFF:a9fe:a9fe", "169.254.169.254", id="S3 mapped metadata"),
        pytest.param("::127.0.0.1", "::7f00:1", id="compatible stays IPv6"),
        pytest.param("64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe", id="NAT64 stays IPv6"),
    ],
)
def test_one_spelling(text: str, canonical: str | None) -> None:
    assert canonical_host(text) == (canonical or text)


REFUSED = [
    pytest.param("", id="empty"),
    pytest.param(".", id="root"),
    pytest.param("..", id="two dots"),
    pytest.param(".allowed.test", id="leading dot"),
    pytest.param("..allowed.test", id="leading dots"),
    pytest.param("a..allowed.test", id="empty label"),
    pytest.param("allowed.test..", id="two trailing dots"),
    pytest.param(f"{LONG_LABEL}a.test", id="label of 64"),
    pytest.param(f"a{LONG_NAME}", id="name of 254"),
    pytest.param("a." * 40000, id="name of 80000"),
    pytest.param("ü." * 100 + "test", id="long after encoding"),
    pytest.param("ü" * 254, id="long before encoding"),
    pytest.param("\ufdfa" * 200 + ".test", id="long after mapping"),
    pytest.param("-a.test", id="leading hyphen"),
    pytest.param("a-.test", id="trailing hyphen"),
    pytest.param("*", id="asterisk"),
    pytest.param("*.allowed.test", id="wildcard as a host"),
    pytest.param("evil.test\0.allowed.test", id="S16 NUL"),
    pytest.param("127.0.0.1\0.allowed.test", id="S16 NUL behind an address"),
    pytest.param("evil.test%00.allowed.test", id="percent-encoded NUL"),
    pytest.param("evil%2etest", id="percent-encoded dot"),
    pytest.param("ok.test@evil.test", id="S18 userinfo"),
    pytest.param("evil.test#@ok.test", id="S18 fragment"),
    pytest.param("ok.test\\@evil.test", id="S18 backslash"),
    pytest.param("ok.test/x", id="slash"),
    pytest.param("ok.test?x", id="question mark"),
    pytest.param("ok .test", id="space"),
    pytest.param(" ok.test", id="leading space"),
    pytest.param("ok.test\n", id="newline"),
    pytest.param("ok.test\r\nHost: evil", id="CRLF"),
    pytest.param("ok\t.test", id="tab"),
    pytest.param("ok\x7f.test", id="DEL"),
    pytest.param("ok,evil.test", id="comma"),
    pytest.param("'ok.test'", id="quotes"),
    pytest.param("[::1]", id="brackets belong to authorities"),
    pytest.param("[example.com]", id="S12 brackets round a name"),
    pytest.param("2130706433", id="S1 one number"),
    pytest.param("0x7f000001", id="S1 one hex number"),
    pytest.param("017700000001", id="S1 one octal number"),
    pytest.param("0x7f.1", id="S1 hex and short"),
    pytest.param("0177.0.0.1", id="S1 octal"),
    pytest.param("127.1", id="S1 short"),
    pytest.param("127.0.1", id="S1 three parts"),
    pytest.param("0", id="S1 zero"),
    pytest.param("①②⑦.0.0.1", id="S1 circled digits"),
    pytest.param("\uff11\uff12\uff17.0.0.1", id="S1 full-width digits"),
    pytest.param("127。0。0。1", id="S1 ideographic dots"),
    pytest.param("127\uff0e0\uff0e0\uff0e1", id="S1 full-width dots"),
    pytest.param("012.0.0.1", id="S10 leading zero"),
    pytest.param("1.2.3.256", id="octet over 255"),
    pytest.param("1.2.3.4.5", id="five octets"),
    pytest.param("1.2.3.4..", id="quad with two dots"),
    pytest.param("evil.0x7f", id="last label is hex"),
    pytest.param("evil.0xyz", id="last label begins like hex"),
    pytest.param("evil.123", id="last label is a number"),
    pytest.param("::1%eth0", id="S17 zone"),
    pytest.param("fe80::1%25eth0", id="S17 encoded zone"),
    pytest.param("::1%25.ok.test", id="S17 zone that ends like a name"),
    pytest.param("::ffff:1.2.3.4%x.allowed.test", id="zone on a mapped address"),
    pytest.param("::ffff:012.0.0.1", id="leading zero inside IPv6"),
    pytest.param("1::2::3", id="two gaps"),
    pytest.param("::1.", id="IPv6 with a dot"),
    pytest.param("12345::", id="long group"),
    pytest.param("host:443", id="a port is no part of a host"),
    pytest.param("xn--", id="empty A-label"),
    pytest.param("xn--abc-.test", id="A-label of nothing international"),
    pytest.param("xn--n3h.test", id="A-label outside IDNA 2008"),
    pytest.param("xn--a\0b.test", id="NUL in an A-label"),
    pytest.param("a\u200db.test", id="joiner out of context"),
    pytest.param("a\u2024test", id="one dot leader"),
    pytest.param("\uff0f\uff0fok.test", id="full-width slash"),
    pytest.param("ok\uff05.test", id="full-width percent"),
    pytest.param("\ud800.test", id="lone surrogate"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused_and_never_mended(text: str) -> None:
    with pytest.raises(InvalidDestination) as caught:
        canonical_host(text)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 500


@given(st.text(max_size=80) | st.from_regex("[a-zA-Z0-9üß\uff44_.:-]{1,40}", fullmatch=True))
@example("127.0.0.1.")
@example("\u0130.com")
def test_nothing_outside_the_grammar_comes_through_and_twice_is_once(text: str) -> None:
    try:
        host = canonical_host(text)
    except InvalidDestination:
        return
    assert canonical_host(host) == host
    assert re.fullmatch(r"[a-z0-9_.-]{1,253}|[0-9a-f:]{2,39}", host)
    assert canonical_host(unicode_form(host)) == host
    assert is_address(host) == bool(re.fullmatch(r"[0-9.]+|.*:.*", host))


@given(st.from_regex(r"(xn--[a-z0-9-]{1,12}\.)?xn--[a-z0-9-]{1,20}\.test", fullmatch=True))
def test_an_a_label_is_the_encoding_of_what_people_see(name: str) -> None:
    try:
        host = canonical_host(name)
    except InvalidDestination:
        return
    assert host == name
    assert canonical_host(unicode_form(host)) == host


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_ipv6_address_is_one_host(address: object) -> None:
    host = canonical_host(str(address))
    assert canonical_host(address.exploded) == host  # type: ignore[attr-defined]  # IPv6Address
    assert canonical_host(str(address).upper()) == host


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "65536",
        "+443",
        "-1",
        "0443",
        " 443",
        "443 ",
        "4 43",
        "",
        "https",
        "\uff14\uff14\uff13",
        "1e3",
        "0x50",
        "4294967318",
        "65558",
        "443\n",
        "²",
    ],
    ids=repr,
)
def test_a_port_is_plain_decimal(text: str) -> None:
    """S21: 4294967318 is 2^32+22, 65558 is 2^16+22; both were once taken for port 22."""
    with pytest.raises(InvalidDestination):
        canonical_port(text)


@given(st.integers())
def test_ports_are_1_to_65535(number: int) -> None:
    for written in (number, str(number)):
        try:
            assert canonical_port(written) == number
        except InvalidDestination:
            assert not 1 <= number <= 65535


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        pytest.param("Example.org:443", None, ("example.org", 443), id="host and port"),
        pytest.param("[2001:DB8::1]:443", None, ("2001:db8::1", 443), id="IPv6"),
        pytest.param("[::ffff:1.2.3.4]:80", None, ("1.2.3.4", 80), id="mapped"),
        pytest.param("example.org", 80, ("example.org", 80), id="default"),
        pytest.param("[::1]", 80, ("::1", 80), id="IPv6 default"),
        pytest.param("example.org.:1", 80, ("example.org", 1), id="trailing dot"),
    ],
)
def test_authorities(text: str, default: int | None, expected: tuple[str, int]) -> None:
    assert parse_authority(text, default_port=default) == expected


@pytest.mark.parametrize(
    "text",
    [
        "example.org",
        "example.org:",
        "example.org:0",
        "example.org:80:80",
        "::1:443",
        "[::1",
        "[::1]443",
        "[example.com]:443",
        "[127.0.0.1]:443",
        "[]:443",
        "[::1%25eth0]:443",
        "[v1.x]:443",
        ":443",
        "",
        "u:p@example.org:443",
        "ok.test@evil.test:443",
        "bücher.example:443",
        "http://example.org:443",
        "example.org:443/x",
        "example.org :443",
    ],
    ids=repr,
)
def test_authorities_that_are_none(text: str) -> None:
    with pytest.raises(InvalidDestination):
        parse_authority(text, default_port=None)


def test_a_missing_port_is_filled_only_where_a_default_is_named() -> None:
    with pytest.raises(InvalidDestination):
        parse_authority("example.org:", default_port=80)


def test_a_destination_is_canonical() -> None:
    made = destination(b"EXAMPLE.org.", "443", Protocol.SOCKS5_TCP)
    assert made == Destination(host="example.org", port=443, protocol=Protocol.SOCKS5_TCP)


@pytest.mark.parametrize("host", [b"b\xc3\xbccher.example", b"\xff", b"evil\0.ok.test", b""])
def test_bytes_from_the_wire_are_ascii(host: bytes) -> None:
    with pytest.raises(InvalidDestination):
        destination(host, 443, Protocol.SOCKS5_TCP)


def test_people_see_the_name_that_its_owner_writes() -> None:
    assert unicode_form("xn--bcher-kva.example") == "bücher.example"
    assert unicode_form("example.org") == "example.org"


def test_untrusted_text_is_shown_escaped_and_short() -> None:
    assert shown("\x1b[2J") == r"'\x1b[2J'"
    assert len(shown("x" * 1000)) < 100
