"""RFC 1928 section 7: what is a datagram with a destination, and what is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol.socks5_udp import Datagram, Dropped, header_from, read_datagram

IPV4 = b"\x00\x00\x00\x01\x7f\x00\x00\x01\x00\x35"
IPV6 = b"\x00\x00\x00\x04" + b"\x00" * 15 + b"\x01\x00\x35"
NAME = b"\x00\x00\x00\x03\x06a.test\x00\x35"
LONGEST = b"\x00\x00\x00\x03\xff" + b"a" * 255 + b"\x00\x35"


def read(data: bytes) -> Datagram | Dropped:
    return read_datagram(memoryview(data))


@pytest.mark.parametrize(
    ("header", "host"),
    [(IPV4, b"127.0.0.1"), (IPV6, b"::1"), (NAME, b"a.test"), (LONGEST, b"a" * 255)],
)
@given(data=st.binary(max_size=600))
def test_the_header_comes_off(header: bytes, host: bytes, data: bytes) -> None:
    found = read(header + data)
    assert isinstance(found, Datagram)
    assert (found.host, found.port, bytes(found.data)) == (host, 53, data)


@pytest.mark.parametrize(
    ("header", "address"), [(IPV4, "127.0.0.1"), (IPV6, "::1")], ids=["ipv4", "ipv6"]
)
def test_an_answers_header_is_that_of_a_question(header: bytes, address: str) -> None:
    assert header_from(address, 53) == header
    found = read(header + b"data")
    assert isinstance(found, Datagram)
    assert (found.host.decode(), found.port, bytes(found.data)) == (address, 53, b"data")


@pytest.mark.parametrize("header", [IPV4, IPV6, NAME, LONGEST, b"\x00\x00\x00\x03\x00\x00\x35"])
def test_a_header_that_was_cut_short_is_dropped(header: bytes) -> None:
    for end in range(len(header)):
        assert read(header[:end]) is Dropped.MALFORMED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", Dropped.MALFORMED, id="empty"),
        pytest.param(b"\x00\x01" + IPV4[2:], Dropped.MALFORMED, id="reserved"),
        pytest.param(b"\x01\x00" + IPV4[2:], Dropped.MALFORMED, id="reserved-too"),
        pytest.param(b"\x00\x00\x01" + IPV4[3:], Dropped.FRAGMENT, id="first-fragment"),
        pytest.param(b"\x00\x00\x81" + IPV4[3:], Dropped.FRAGMENT, id="last-fragment"),
        pytest.param(b"\x00\x00\x00\x02" + IPV4[4:], Dropped.MALFORMED, id="address-type"),
    ],
)
def test_what_is_dropped(data: bytes, why: Dropped) -> None:
    assert read(data) is why


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    for start in (b"", b"\x00\x00\x00", IPV4[:4], NAME[:4]):
        read(start + data)


@given(st.ip_addresses().map(str), st.integers(0, 65535), st.binary(max_size=20))
def test_an_answer_is_read_as_it_was_written(address: str, port: int, data: bytes) -> None:
    found = read(header_from(address, port) + data)
    assert isinstance(found, Datagram)
    assert (found.host.decode(), found.port, bytes(found.data)) == (address, port, data)
