"""Reports of refused packets: who wanted to send what to whom, whatever bytes come."""

from __future__ import annotations

import ipaddress
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.linux.netlink import attribute, message
from sandbox.linux.nflog import Rejected, binding, count, rejected

_PACKET = 4 << 8
_GENERIC = b"\x02\x00\x00\x01"


def report(packet: bytes, *more: bytes, kind: int = _PACKET) -> bytes:
    return message(kind, 0, _GENERIC + attribute(9, packet) + b"".join(more))


def ipv4(protocol: int, rest: bytes, *, words: int = 5, address: str = "192.0.2.1") -> bytes:
    options = bytes(4 * max(words - 5, 0))
    head = bytes((0x40 | words,)) + bytes(8) + bytes((protocol,)) + bytes(2 + 4)
    return head + ipaddress.ip_address(address).packed + options + rest


def ipv6(protocol: int, rest: bytes, *, address: str = "2001:db8::1") -> bytes:
    head = b"\x60" + bytes(5) + bytes((protocol,)) + bytes(1 + 16)
    return head + ipaddress.ip_address(address).packed + rest


PORTS = struct.pack("!HH", 40_000, 443) + bytes(4)


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(17, PORTS), Rejected("udp", "192.0.2.1", 443, 40_000, None)),
        (ipv4(17, PORTS, words=7), Rejected("udp", "192.0.2.1", 443, 40_000, None)),
        (ipv4(17, PORTS, words=0), Rejected("udp", "192.0.2.1", 443, 40_000, None)),
        (ipv6(17, PORTS), Rejected("udp", "2001:db8::1", 443, 40_000, None)),
        (ipv4(6, PORTS), Rejected("tcp", "192.0.2.1", 443, 40_000, None)),
        (ipv4(17, b"\x01"), Rejected("udp", "192.0.2.1", 0, 0, None)),
        (ipv4(1, b"\x08\x00\x12\x34"), Rejected("icmp", "192.0.2.1", 0, 0, None)),
        (ipv6(58, b"\x80\x00"), Rejected("icmpv6", "2001:db8::1", 0, 0, None)),
        (ipv4(47, PORTS), Rejected("47", "192.0.2.1", 0, 0, None)),
    ],
    ids=["udp", "options", "no length", "udp6", "tcp", "cut", "icmp", "icmpv6", "gre"],
)
def test_a_packet_is_told_by_its_headers(packet: bytes, expected: Rejected) -> None:
    assert list(rejected(report(packet))) == [expected]


def test_the_sockets_owner_is_told_where_it_has_one() -> None:
    told = list(rejected(report(ipv4(17, PORTS), attribute(11, struct.pack("!I", 1000)))))

    assert [each.uid for each in told] == [1000]


def test_several_reports_come_at_once_and_what_is_none_is_left_out() -> None:
    data = b"".join(
        [
            report(ipv4(17, PORTS)),
            report(ipv4(17, PORTS), kind=3),  # the end of a gathering
            report(ipv4(17, PORTS)[:19]),
            report(ipv6(17, PORTS)[:39]),
            report(b""),
            message(_PACKET, 0, b""),
            report(ipv6(17, PORTS)),
        ]
    )

    assert [each.address for each in rejected(data)] == ["192.0.2.1", "2001:db8::1"]
    assert count(data) == 6  # each is a packet, whatever can be read of it


@given(
    st.binary()
    | st.binary().map(report)
    | st.binary(min_size=19).map(lambda b: report(b"\x45" + b))
)
def test_any_bytes_can_be_read(data: bytes) -> None:
    for each in rejected(data):
        assert str(ipaddress.ip_address(each.address)) == each.address
        assert 0 <= each.port <= 65_535


@pytest.mark.skipif(sys.byteorder != "little", reason="bytes of a little-endian host")
def test_the_socket_asks_for_headers_only() -> None:
    assert binding().hex(" ", 4) == (
        "30000000 01040500 00000000 00000000"  # NFULNL_MSG_CONFIG, request+ack
        " 00000001"  # group 1
        " 05000100 01000000"  # bind
        " 0a000200 00000040 02000000"  # 64 bytes of the packet
        " 08000500 00000001"  # and at once
    )
