"""Blocks agree with the standard library, and their tables with looking at each in turn."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.errors import InvalidRule
from netproxy.policy.blocks import (
    Blocks,
    BlockTable,
    number_of,
    parse_address,
    parse_block,
    single,
    text_of,
)

networks = st.ip_addresses().flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: ipaddress.ip_network((address, length), strict=False)
    )
)
# Mapped IPv4 is folded before anything is compared, so it has no numbers of its own here.
addresses = st.ip_addresses().filter(lambda address: not getattr(address, "ipv4_mapped", None))
MAPPED = ipaddress.ip_network("::ffff:0:0/96")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("10.0.0.0/8", "10.0.0.0/8", id="IPv4"),
        pytest.param("2001:DB8::/32", "2001:db8::/32", id="IPv6"),
        pytest.param("192.0.2.7", "192.0.2.7/32", id="one IPv4 address"),
        pytest.param("::1", "::1/128", id="one IPv6 address"),
        pytest.param("::ffff:10.0.0.0/104", "10.0.0.0/8", id="mapped"),
        pytest.param("::ffff:10.1.2.3", "10.1.2.3/32", id="one mapped address"),
        pytest.param("0.0.0.0/0", "0.0.0.0/0", id="all of IPv4"),
        pytest.param("::/0", "::/0", id="all of IPv6"),
    ],
)
def test_read(text: str, canonical: str) -> None:
    assert str(parse_block(text)) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("10.0.0.1/8", "did you mean 10.0.0.0/8?", id="host bits"),
        pytest.param("2001:db8::1/32", "did you mean 2001:db8::/32?", id="IPv6 host bits"),
        pytest.param("10.0.0.0/33", "from 0 to 32", id="too long"),
        pytest.param("::/129", "from 0 to 128", id="too long for IPv6"),
        pytest.param("10.0.0.0/08", "from 0 to 32", id="leading zero"),
        pytest.param("10.0.0.0/+8", "from 0 to 32", id="sign"),
        pytest.param("10.0.0.0/", "from 0 to 32", id="no length"),
        pytest.param("10.0.0.0/255.0.0.0", "from 0 to 32", id="netmask"),
        pytest.param("10/8", "not an address", id="short"),
        pytest.param("example.org/8", "not an address", id="name"),
        pytest.param("example.org", "not an address block", id="name alone"),
        pytest.param("fe80::%eth0/64", "not an address", id="zone"),
        pytest.param("", "not an address block", id="empty"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRule, match=says.replace("?", r"\?")):
        parse_block(text)


@given(networks)
def test_what_is_written_is_read_again(network: ipaddress.IPv4Network) -> None:
    if not network.overlaps(MAPPED):
        assert str(parse_block(str(network))) == str(network)


@given(st.lists(networks, max_size=12), addresses)
def test_a_table_finds_what_a_walk_over_all_finds(
    written: list[ipaddress.IPv4Network], address: ipaddress.IPv4Address
) -> None:
    blocks = [parse_block(str(network)) for network in written]
    asked = number_of(str(address))
    expected = [block for block in blocks if block.covers(asked)]
    found = list(BlockTable((block, block) for block in blocks).lookup(asked))
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert [block.length for block in found] == sorted((b.length for b in found), reverse=True)
    assert Blocks(blocks).covers(asked) == bool(expected)


@given(networks, addresses)
def test_membership_is_the_standard_librarys(
    network: ipaddress.IPv4Network, address: ipaddress.IPv4Address
) -> None:
    if network.overlaps(MAPPED):
        return
    assert parse_block(str(network)).covers(number_of(str(address))) == (address in network)


@given(networks, networks)
def test_containment_is_the_standard_librarys(
    one: ipaddress.IPv4Network, other: ipaddress.IPv4Network
) -> None:
    if one.overlaps(MAPPED) or other.overlaps(MAPPED):
        return
    same = one.version == other.version
    contains = same and one.supernet_of(other)
    assert parse_block(str(one)).contains(parse_block(str(other))) == contains


@given(addresses)
def test_numbers_and_texts_go_both_ways(address: ipaddress.IPv4Address) -> None:
    number = parse_address(str(address))
    assert number is not None
    assert ipaddress.ip_address(text_of(number)) == address
    assert single(number).covers(number)


def test_what_is_no_literal_is_none() -> None:
    assert parse_address("example.org") is None
    assert parse_address("127.1") is None
    assert parse_address("fe80::1%eth0") is None


def test_sets_are_values() -> None:
    one = Blocks([parse_block("10.0.0.0/8")])
    assert one == Blocks([parse_block("10.0.0.0/8")])
    assert hash(one) == hash(Blocks([parse_block("10.0.0.0/8")]))
    assert one != Blocks([])
    assert repr(one) == "Blocks(10.0.0.0/8)"
