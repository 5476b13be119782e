"""What was read before is read again as the same, and only that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.known_heads import KnownHeads

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
LIMITS = Limits()


def test_the_second_time_is_the_first_ones_value() -> None:
    known = KnownHeads(LIMITS)
    assert known.read(CONNECT) is known.read(bytes(bytearray(CONNECT)))
    assert known.read(CONNECT) == RequestReader(LIMITS).receive(CONNECT)


@given(st.lists(st.sampled_from([b"a", b"b", b"A", b" ", b"\t", b"\r\n", b":", b"1"]), max_size=12))
def test_it_says_what_the_reader_says(pieces: list[bytes]) -> None:
    data = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n" + b"".join(pieces) + b"\r\n\r\n"
    known = KnownHeads(LIMITS)
    assert outcome(known.read, data) == outcome(known.read, data) == outcome(read_alone, data)


def read_alone(data: bytes) -> RequestHead | None:
    reader = RequestReader(LIMITS)
    head = reader.receive(data)
    return head if isinstance(head, RequestHead) and not reader.unread else None


def outcome(read: Callable[[bytes], RequestHead | None], data: bytes) -> object:
    try:
        return read(data)
    except ClientProtocolError as refused:
        return refused.status, str(refused)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(CONNECT[:-2], id="a-part"),
        pytest.param(CONNECT + b"early", id="early-bytes"),
        pytest.param(CONNECT + CONNECT, id="two"),
        pytest.param(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", id="plain"),
        pytest.param(CONNECT[:-2] + b"X: " + b"x" * 600 + b"\r\n\r\n", id="long"),
    ],
)
def test_anything_else_is_for_the_reader(data: bytes) -> None:
    assert KnownHeads(LIMITS).read(data) is None


def test_credentials_are_not_kept() -> None:
    known = KnownHeads(LIMITS)
    data = CONNECT[:-2] + b"proxy-Authorization: Basic c2VjcmV0\r\n\r\n"
    head = known.read(data)
    assert head is not None
    assert head == known.read(data)
    assert known._known == {}


def test_it_holds_few() -> None:
    known = KnownHeads(LIMITS)
    for number in range(2000):
        known.read(CONNECT.replace(b"a.test", b"h%d.test" % number))
        assert len(known._known) <= 256


def test_limits_hold() -> None:
    known = KnownHeads(replace(LIMITS, head_bytes=60))
    with pytest.raises(ClientProtocolError) as refused:
        known.read(CONNECT[:-2] + b"X: " + b"x" * 60 + b"\r\n\r\n")
    assert refused.value.status == 431
