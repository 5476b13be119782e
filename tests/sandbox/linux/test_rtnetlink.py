"""The two routes, byte for byte as `ip route add local … dev lo src …` sends them."""

from __future__ import annotations

import sys

import pytest

from sandbox.linux.rtnetlink import all_is_local4, all_is_local6

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
