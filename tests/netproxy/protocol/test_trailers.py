from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError
from netproxy.protocol.body import body_reader
from netproxy.protocol.fields import CHUNKED, by_name, connection_options
from netproxy.protocol.trailers import announced, last_chunk, may_trail, wants_trailers


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((), set()),
        ((b"",), set()),
        ((b"X-Sum",), {b"x-sum"}),
        ((b"x-sum , grpc-status,", b"Digest"), {b"x-sum", b"grpc-status", b"digest"}),
        ((b"Content-Length, X-Sum, host",), {b"x-sum"}),
        ((b"Server-Timing, ETag",), {b"server-timing", b"etag"}),
    ],
)
def test_what_is_announced_may_go_on(values: tuple[bytes, ...], names: set[bytes]) -> None:
    assert announced(by_name(tuple((b"Trailer", value) for value in values))) == names


@pytest.mark.parametrize(
    "name",
    [
        "content-length", "transfer-encoding", "host", "connection",
        "upgrade", "te", "trailer", "keep-alive",
        "via", "authorization", "proxy-authorization", "proxy-status",
        "x-proxy-error", "cookie", "set-cookie", "www-authenticate",
        "content-type", "content-encoding", "content-range", "content-security-policy",
        "cache-control", "expires", "location", "max-forwards",
        "expect", "range", "if-match", "x-forwarded-for",
        "access-control-allow-origin",
    ],
)  # fmt: skip
def test_what_frames_routes_lets_in_or_describes_never_trails(name: str) -> None:
    """RFC 9110 section 6.5.1."""
    assert not may_trail(name.encode())


@pytest.mark.parametrize(
    ("te", "connection", "wants"),
    [
        (b"trailers", b"TE", True),
        (b"gzip;q=0.5, Trailers", b"close, te", True),
        (b"trailers", b"close", False),
        (b"gzip", b"TE", False),
        (None, b"TE", False),
    ],
)
def test_who_wants_them(te: bytes | None, connection: bytes, wants: bool) -> None:
    fields = [(b"Connection", connection)]
    if te is not None:
        fields.append((b"TE", te))
    index = by_name(tuple(fields))
    assert wants_trailers(index, connection_options(index)) is wants


def test_the_last_chunk_holds_those_that_go_on() -> None:
    trailers = ((b"X-Sum", b"1"), (b"Secret", b"2"), (b"x-sum", b""))
    assert last_chunk((), frozenset()) == b"0\r\n\r\n"
    names = frozenset({b"x-sum"})
    assert last_chunk(trailers, names) == b"0\r\nX-Sum: 1\r\nx-sum: \r\n\r\n"


@given(st.lists(st.integers(0, 40), max_size=8))
def test_where_the_bytes_are_split_does_not_change_what_is_read(cuts: list[int]) -> None:
    data = b"2\r\nhi\r\n0\r\nX-Sum:\t1 \r\nb: c\r\n\r\n"
    reader = body_reader(CHUNKED, Limits())
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        if start != end:
            reader.receive(data[start:end])
    assert reader.is_finished
    assert reader.trailers == ((b"X-Sum", b"1"), (b"b", b"c"))


def test_there_are_no_more_than_a_head_may_have() -> None:
    reader = body_reader(CHUNKED, Limits())
    with pytest.raises(ClientProtocolError):
        reader.receive(b"0\r\n" + b"a: b\r\n" * (Limits().header_count + 1) + b"\r\n")
