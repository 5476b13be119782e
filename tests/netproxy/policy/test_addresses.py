"""Every class of address that a proxy must not reach by accident."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netproxy.errors import InvalidRule
from netproxy.policy.addresses import (
    LOOPBACK_BLOCKS,
    AddressClass,
    classify,
    embedded,
    is_wholly_special,
    parse_private_block,
    stands_for,
    vet,
)
from netproxy.policy.blocks import NO_BLOCKS, Blocks, number_of, parse_block, text_of
from netproxy.policy.hosts import canonical_host

C = AddressClass


# Each range with its first, last and neighbouring addresses.
CLASSES = {
    C.UNSPECIFIED: "0.0.0.0 0.1.2.3 0.255.255.255 :: ::2 64:ff9b:1:7f00:0:100::",
    C.PUBLIC: (
        "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.254 100.128.0.1 128.0.0.0 "
        "169.253.255.255 169.255.0.0 168.63.129.17 172.15.255.255 172.32.0.0 192.0.1.0 "
        "192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 8.8.8.8 ::ffff:8.8.8.8 "
        "64:ff9b::808:808 2002:808:808:: 2001:0:808:808::f7f7:f7f7 3fff:1000::1 "
        "2606:4700:4700::1111 2001:4860:4860::8888"
    ),
    C.PRIVATE: (
        "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.1 64:ff9b::a00:1 "
        "64:ff9b:1::808:808 2002:a00:1:: 2606:4700::5efe:a00:1 fc00::1 fdff::1 fec0::1 feff::1"
    ),
    C.CGNAT: "100.64.0.1 100.127.255.254 100.100.100.201",
    C.METADATA: (
        "100.100.100.200 169.254.169.254 169.254.170.2 169.254.170.23 169.254.0.23 "
        "169.254.42.42 168.63.129.16 192.0.0.192 ::a9fe:a9fe ::ffff:a9fe:a9fe "
        "64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 "
        "fd00:c1::a9fe:a9fe fd00:42::42 fd00:a9fe:a9fe::1 fe80::a9fe:a9fe"
    ),
    C.LOOPBACK: (
        "127.0.0.1 127.255.255.255 ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:7f00:1 "
        "::ffff:0:7f00:1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1:: 2001:0:7f00:1:: "
        "2001:0:808:808::80ff:fffe 2606:4700::200:5efe:7f00:1"
    ),
    C.LINK_LOCAL: "169.254.1.1 fe80::1 febf::1",
    C.RESERVED: (
        "192.0.0.9 192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1 240.0.0.1 "
        "255.255.255.254 ::808:808 ::ffff:0:808:808 64:ff9b:2::1 100::1 100:0:0:1::1 "
        "2001:10::1 2001:20::1 2001:1::1 2620:4f:8000::1 1fff::1 4000::1 5f00::1 fbff::1"
    ),
    C.DOCUMENTATION: "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1",
    C.BENCHMARKING: "198.18.0.1 198.19.255.255 2001:2::1",
    C.MULTICAST: "224.0.0.1 239.255.255.255 ff02::1 ff0e::1",
    C.BROADCAST: "255.255.255.255",
}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        pytest.param(address, kind, id=f"{address} is {kind}")
        for kind, listed in CLASSES.items()
        for address in listed.split()
    ],
)
def test_class(address: str, kind: AddressClass) -> None:
    assert classify(address) is kind


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "127.1", "example.org", "", "\uff11\uff12\uff17.0.0.1"]
)
def test_what_is_no_address_has_no_class(text: str) -> None:
    assert classify(text) is C.UNRECOGNISED


@given(st.ip_addresses())
@example(ipaddress.ip_address("224.0.0.1"))
@example(ipaddress.ip_address("fec0::1"))
def test_nothing_that_the_standard_library_knows_as_local_is_public(
    address: ipaddress.IPv4Address,
) -> None:
    local = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    # Forms of an IPv4 address are judged by what they hold: the next test.
    forms = ("::ffff:0:0/96", "64:ff9b::/96", "2001::/32", "2002::/16")
    if local and not any(address in ipaddress.ip_network(form) for form in forms):
        assert classify(str(address)) is not C.PUBLIC


@given(st.ip_addresses(v=4))
def test_a_form_of_a_local_address_is_never_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    forms = [
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(0xFFFF << 48 | number),
        ipaddress.IPv6Address(0x64FF9B << 96 | number),
        ipaddress.IPv6Address(0x64FF9B0001 << 80 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80 | 1),
        ipaddress.IPv6Address(0x20010000 << 96 | number << 64 | 0xF7F7F7F7),
        ipaddress.IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | number ^ 0xFFFFFFFF),
        ipaddress.IPv6Address(0x26064700 << 96 | 0x5EFE << 32 | number),
    ]
    if classify(str(address)) is not C.PUBLIC:
        assert all(classify(str(form)) is not C.PUBLIC for form in forms)


def test_mixed_answers_keep_what_passes_in_their_order() -> None:
    """S23: a public and a private address, in every order and family."""
    answer = ["10.0.0.1", "8.8.8.8", "2606:4700:4700::1111", "::1", "::ffff:9.9.9.9"]
    passed, refused = vet(answer, allowed=NO_BLOCKS)
    assert passed == ("8.8.8.8", "2606:4700:4700::1111", "9.9.9.9")
    assert refused == (("10.0.0.1", C.PRIVATE), ("::1", C.LOOPBACK))


def test_an_allowed_block_lets_its_addresses_pass_and_no_others() -> None:
    allowed = Blocks([parse_block("10.1.0.0/16")])
    passed, refused = vet(["10.1.2.3", "10.2.2.3", "127.0.0.1"], allowed=allowed)
    assert passed == ("10.1.2.3",)
    assert [kind for _, kind in refused] == [C.PRIVATE, C.LOOPBACK]


def test_an_allowed_ipv4_block_does_not_open_other_forms_of_its_addresses() -> None:
    passed, _ = vet(["64:ff9b::7f00:1", "2002:7f00:1::"], allowed=LOOPBACK_BLOCKS)
    assert passed == ()


def test_vet_opens_no_class_that_is_never_opened() -> None:
    """However the address is written, and whatever block covers it; public is public."""
    passed, refused = vet(
        ["169.254.169.254", "64:ff9b::a9fe:a9fe", "10.1.2.3", "8.8.8.8"],
        allowed=Blocks(map(parse_block, ("0.0.0.0/0", "::/0"))),
        never={C.METADATA, C.PUBLIC},
    )
    assert passed == ("10.1.2.3", "8.8.8.8")
    assert [kind for _, kind in refused] == [C.METADATA, C.METADATA]


def test_this_hosts_own_public_address_is_refused() -> None:
    own = Blocks([parse_block("8.8.4.4")])
    assert vet(["8.8.4.4", "10.0.0.1"], allowed=NO_BLOCKS, own=own)[1] == (
        ("8.8.4.4", C.OWN),
        ("10.0.0.1", C.PRIVATE),
    )
    assert vet(["8.8.4.4"], allowed=own, own=own)[0] == ("8.8.4.4",)


@pytest.mark.parametrize(
    "form", ["64:ff9b::808:404", "2002:808:404::", "2001:0:808:404::f7f7:f7f7", "::ffff:8.8.4.4"]
)
def test_no_form_of_this_hosts_own_address_is_another(form: str) -> None:
    own = Blocks([parse_block("8.8.4.4")])
    assert vet([form], allowed=NO_BLOCKS, own=own)[1][0][1] is C.OWN
    assert vet([form], allowed=NO_BLOCKS)[0] == (canonical_host(form),)


@pytest.mark.parametrize(
    ("literal", "inner"),
    [
        ("64:ff9b::8.8.8.8", ["8.8.8.8"]),
        ("64:ff9b:1::8.8.8.8", ["8.8.8.8"]),
        ("::8.8.8.8", ["8.8.8.8"]),
        ("::ffff:0:8.8.8.8", ["8.8.8.8"]),
        ("2002:808:404::", ["8.8.4.4"]),
        ("2001:0:808:404::f7f7:f7f7", ["8.8.4.4", "8.8.8.8"]),
        ("2606:4700::5efe:8.8.8.8", ["8.8.8.8"]),
        ("2606:4700::200:5efe:8.8.8.8", ["8.8.8.8"]),
        ("2606:4700::8.8.8.8", []),
        ("::1", []),
        ("::", []),
        ("8.8.8.8", []),
    ],
)
def test_what_a_form_stands_for(literal: str, inner: list[str]) -> None:
    host = canonical_host(literal)
    assert [text_of(each) for each in embedded(number_of(host))] == inner
    assert stands_for(host) == (host, *inner)


def test_a_name_and_an_ipv4_address_stand_for_themselves() -> None:
    assert stands_for("a.example") == ("a.example",)
    assert stands_for("8.8.8.8") == ("8.8.8.8",)


def test_what_is_no_address_is_refused() -> None:
    assert vet(["fe80::1%eth0", "nonsense"], allowed=NO_BLOCKS) == (
        (),
        (("fe80::1%eth0", C.UNRECOGNISED), ("nonsense", C.UNRECOGNISED)),
    )


@pytest.mark.parametrize(
    ("block", "special"),
    [
        ("10.0.0.0/8", True),
        ("10.2.0.0/16", True),
        ("127.0.0.1", True),
        ("fd00::/8", True),
        ("168.63.129.16", True),
        ("0.0.0.0/0", False),
        ("0.0.0.0/1", False),
        ("::/0", False),
        ("8.0.0.0/6", False),
        ("2000::/3", False),
        ("8.8.8.0/24", False),
        ("64:ff9b::/96", False),
    ],
    ids=str,
)
def test_only_a_block_without_public_addresses_names_something_local(
    block: str, *, special: bool
) -> None:
    assert is_wholly_special(parse_block(block)) is special


@pytest.mark.parametrize(
    "block",
    [
        *("0.0.0.0/0", "::/0", "8.0.0.0/5", "2000::/3", "192.0.0.0/8"),
        # All of IPv4, or half of it, in another form: a relay on the way would reach metadata.
        *("64:ff9b::/96", "64:ff9b::/95", "64:ff9b::/97", "::ffff:0:0:0/96", "64:ff9b::c000:0/104"),
        *("2002::/16", "2002::/15", "2002:c000::/24", "2001::/32", "2001:0:808::/48"),
    ],
)
def test_a_private_block_that_is_half_the_internet_is_refused(block: str) -> None:
    with pytest.raises(InvalidRule, match="public and local"):
        parse_private_block(block)


@pytest.mark.parametrize(
    "block",
    [
        *("10.0.0.0/8", "127.0.0.1", "fd00::/8", "8.8.4.4", "8.8.4.0/24", "2606:4700::/32"),
        *("64:ff9b::a00:0/104", "64:ff9b::a9fe:a9fe", "64:ff9b::808:0/112", "64:ff9b:1::/48"),
        *("2002:a00::/24", "2002:808:808::/48", "2002:a00:1::/64", "2001:0:a00:1::"),
    ],
)
def test_a_private_block_is_read(block: str) -> None:
    assert str(parse_private_block(block)).startswith(block)
