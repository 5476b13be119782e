"""The routes and addresses, byte for byte as `ip route add local … dev lo src …` sends them."""

from __future__ import annotations

import sys

import pytest

from sandbox.linux.rtnetlink import (
    all_is_local4,
    all_is_local6,
    beyond_loopback4,
    beyond_loopback6,
)

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="bytes of a little-endian host")


def test_every_ipv4_address_is_one_of_our_own() -> None:
    assert all_is_local4(1).hex(" ", 4) == (
        "2c000000 18000506 00000000 00000000"  # length 44, RTM_NEWROUTE, request+ack+create+excl
        " 02000000 ff04fe02 00000000"  # AF_INET/0, table local, static, scope host, type local
        " 08000400 01000000"  # RTA_OIF 1
        " 08000700 7f000001"  # RTA_PREFSRC 127.0.0.1
    )


def test_every_ipv6_address_is_one_of_our_own() -> None:
    assert all_is_local6(7).hex(" ", 4) == (
        "38000000 18000506 00000000 00000000"
        " 0a000000 ff04fe02 00000000"
        " 08000400 07000000"
        " 14000700 00000000 00000000 00000000 00000001"  # ::1
    )


def test_an_address_that_is_not_the_loopbacks_own() -> None:
    """As `ip address add 198.18.0.0/32 dev lo` sends it, and for IPv6 with `nodad`."""
    assert beyond_loopback4(1).hex(" ", 4) == (
        "28000000 14000506 00000000 00000000"  # length 40, RTM_NEWADDR, request+ack+create+excl
        " 02200000 01000000"  # AF_INET/32, no flags, global scope, interface 1
        " 08000200 c6120000"  # IFA_LOCAL 198.18.0.0
        " 08000100 c6120000"  # IFA_ADDRESS
    )
    assert beyond_loopback6(1).hex(" ", 4) == (
        "40000000 14000506 00000000 00000000"
        " 0a800200 01000000"
        " 14000200 fd6e6574 70720000 00000000 00000001"
        " 14000100 fd6e6574 70720000 00000000 00000001"
    )
