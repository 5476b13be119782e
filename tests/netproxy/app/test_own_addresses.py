"""This host's own addresses are those of its interfaces, and asking for them never fails."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.own_addresses import addresses_in, host_addresses
from netproxy.policy.blocks import Address, Blocks, number_of, parse_address, parse_block

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL, ADDRESS, LABEL = 2, 1, 3


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(*attributes: bytes, kind: int = 20) -> bytes:
    body = struct.pack("=BBBBI", socket.AF_INET, 24, 0, 0, 2) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def packed(literal: str) -> bytes:
    return ipaddress.ip_address(literal).packed


def test_the_kernels_own_list_is_returned() -> None:
    found = host_addresses()
    for literal in _of_this_namespace():
        assert found.covers(number_of(literal)), literal
    assert not found.covers(number_of("192.0.2.1"))
    assert found == host_addresses()


@pytest.mark.parametrize("error", [PermissionError(), TimeoutError(), AttributeError("AF_NETLINK")])
def test_a_kernel_that_stops_telling_leaves_what_is_known(error: Exception) -> None:
    def dump() -> Iterator[bytes]:
        yield message(attribute(LOCAL, packed("192.0.2.1")))
        raise error

    assert host_addresses(dump) == Blocks([parse_block("192.0.2.1")])


def test_asking_is_cheap() -> None:
    times = []
    for _ in range(20):
        start = time.thread_time()
        host_addresses()
        times.append(time.thread_time() - start)
    assert sorted(times)[10] < 0.005


@pytest.mark.parametrize(
    ("part", "found"),
    [
        pytest.param(message(attribute(ADDRESS, packed("192.0.2.1"))), ["192.0.2.1"], id="one"),
        pytest.param(
            message(attribute(ADDRESS, packed("192.0.2.1")), attribute(LOCAL, packed("10.0.0.1"))),
            ["10.0.0.1"],
            id="point to point: our end",
        ),
        pytest.param(
            message(attribute(LABEL, b"eth0:1"), attribute(ADDRESS, packed("2001:db8::1"))),
            ["2001:db8::1"],
            id="behind an attribute that is padded",
        ),
        pytest.param(
            message(attribute(LOCAL, packed("10.0.0.1"))) * 2, ["10.0.0.1"] * 2, id="two messages"
        ),
        pytest.param(message(attribute(LOCAL, packed("10.0.0.1")), kind=21), [], id="another kind"),
        pytest.param(message(), [], id="no attribute"),
        pytest.param(message(attribute(LOCAL, b"\1\2")), [], id="neither 4 nor 16 bytes"),
        pytest.param(message(struct.pack("=HH", 0, LOCAL)), [], id="an attribute of no length"),
        pytest.param(message(struct.pack("=HH", 99, LOCAL)), [], id="an attribute cut off"),
        pytest.param(message(attribute(LOCAL, packed("10.0.0.1")))[:-1], [], id="a part cut off"),
        pytest.param(b"\0" * 64, [], id="a message of no length"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_answers(part: bytes, found: list[str]) -> None:
    assert list(addresses_in(part)) == [parse_address(each) for each in found]


@given(st.binary(max_size=200) | st.binary(max_size=60).map(message))
def test_no_answer_is_too_strange(part: bytes) -> None:
    assert all(isinstance(address, Address) for address in addresses_in(part))


def _of_this_namespace() -> list[str]:
    """What the kernel tells in its other, older list: /proc/net."""
    trie = Path("/proc/net/fib_trie").read_text("ascii").splitlines()
    local = [
        above.split()[-1] for above, line in itertools.pairwise(trie) if "/32 host LOCAL" in line
    ]
    six = Path("/proc/net/if_inet6")
    lines = six.read_text("ascii").splitlines() if six.exists() else []
    return local + [str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in lines]
