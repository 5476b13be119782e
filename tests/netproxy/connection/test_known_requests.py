"""A request that is like one before is read as if it was the first, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.connection.known_requests import KnownRequest, KnownRequests
from netproxy.connection.targets import http_destination
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import refuse_unforwardable, request_head
from tests.support import http_messages
from tests.support.http_messages import amiss

LIMITS = Limits()
VIA = "netproxy-0"
FIELDS = b"Host: a.test\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n"
FIRST = b"GET http://a.test/ HTTP/1.1\r\n" + FIELDS


def like(path: bytes, *, method: bytes = b"GET", fields: bytes = FIELDS) -> bytes:
    return b"%b http://a.test%b HTTP/1.1\r\n%b" % (method, path, fields)


def known() -> KnownRequests:
    return KnownRequests(LIMITS, VIA)


def check(found: tuple[KnownRequest, bytes] | None, data: bytes) -> None:
    """What is found is what the reader reads and the writer writes. Raises where those refuse."""
    if found is None:
        return
    one, path = found
    reader = RequestReader(LIMITS)
    head = reader.receive(data)
    assert isinstance(head, RequestHead)
    assert reader.unread == b""
    refuse_unforwardable(head, VIA)
    assert one.at(path) == head
    assert one.destination == http_destination(head)
    assert one.onward(path) == request_head(head, one.destination, via=VIA, persists=True)


@pytest.mark.parametrize("path", [b"/", b"/a%2Fb?c=%20&d=[1]", b"/" + b"x" * 2000, b"//b.test/"])
def test_another_path_is_read_and_the_rest_is_known(path: bytes) -> None:
    requests = known()
    first, second = requests.read(FIRST), requests.read(like(path))
    assert first is not None
    assert second is not None
    assert second[0] is first[0]
    assert second[1] == path
    check(second, like(path))


PIECES = [
    b"/", b"?", b"#", b"\\", b" ", b"\t", b"\0", b"\x7f", b"\xe4", b"%", b"@", b":", b"\r\n", b"\n",
    b"\r", b"a.test", b" HTTP/1.1", b" HTTP/1.1\r\n", b"http://", b'"', b"[", b"]", b"~", b"!",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=5).map(b"".join))
def test_no_path_is_taken_that_the_reader_refuses(path: bytes) -> None:
    requests = known()
    requests.read(FIRST)
    for data in (like(path), like(b"/" + path), like(b"/" + path + FIRST)):
        check(requests.read(data), data)
        check(requests.read(data), data)


@given(amiss(http_messages.requests()), amiss(http_messages.requests()))
def test_nor_any_other_request(one: bytes, other: bytes) -> None:
    requests = known()
    for data in (one, other, one):
        check(requests.read(data), data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", id="connect"),
        pytest.param(FIRST[:-2], id="a-part"),
        pytest.param(FIRST + b"G", id="more"),
        pytest.param(FIRST + FIRST, id="two"),
        pytest.param(b"\r\n" + FIRST, id="empty-line"),
        pytest.param(like(b"/", method=b"POST"), id="not-repeatable"),
        pytest.param(like(b"/", method=b"TRACE"), id="refused"),
        pytest.param(like(b""), id="no-path"),
        pytest.param(like(b"?q"), id="query-alone"),
        pytest.param(FIRST.replace(b"1.1", b"1.0"), id="1.0"),
        pytest.param(like(b"/", fields=b"Connection: close\r\n" + FIELDS), id="close"),
        pytest.param(like(b"/", fields=b"Expect: 100-continue\r\n" + FIELDS), id="expect"),
        pytest.param(like(b"/", fields=b"Content-Length: 2\r\n" + FIELDS), id="content"),
        pytest.param(
            like(b"/", fields=b"TE: trailers\r\nConnection: TE\r\n" + FIELDS), id="trailers"
        ),
        pytest.param(
            like(b"/", fields=b"Upgrade: websocket\r\nConnection: upgrade\r\n" + FIELDS),
            id="websocket",
        ),
        pytest.param(like(b"/", fields=b"Via: 1.1 " + VIA.encode() + b"\r\n" + FIELDS), id="loop"),
        pytest.param(FIRST.replace(b"a.test", b"127.1"), id="no-destination"),
        pytest.param(FIRST.replace(b"Host: a", b"Host: b"), id="other-host"),
        pytest.param(like(b"/" + b"x" * 4096), id="long"),
    ],
)
def test_anything_else_is_for_the_reader(data: bytes) -> None:
    requests = known()
    requests.read(FIRST)
    assert requests.read(data) is None
    assert requests.read(data) is None


@pytest.mark.parametrize("name", ["Authorization", "proxy-authorization", "COOKIE"])
def test_secrets_are_read_and_not_kept(name: str) -> None:
    requests = known()
    data = like(b"/", fields=f"{name}: Basic c2VjcmV0\r\n".encode() + FIELDS)
    check(requests.read(data), data)
    assert requests.read(data) is not None
    assert requests._known == {}


def test_long_ones_are_read_and_not_kept() -> None:
    requests = known()
    for data in (
        like(b"/" + b"x" * 2000),
        like(b"/", fields=b"X: " + b"x" * 2000 + b"\r\n" + FIELDS),
    ):
        found = requests.read(data)
        assert found is not None
        check(found, data)
    assert requests._known == {}


def test_it_holds_few() -> None:
    requests = known()
    for number in range(2000):
        requests.read(FIRST.replace(b"a.test", b"h%d.test" % number))
        assert len(requests._known) <= 256


@pytest.mark.parametrize(
    "limits",
    [replace(LIMITS, head_bytes=len(FIRST) + 10), replace(LIMITS, target_bytes=len(FIRST) + 10)],
)
def test_limits_hold_whatever_the_path(limits: Limits) -> None:
    requests = KnownRequests(limits, VIA)
    assert requests.read(FIRST) is not None
    assert requests.read(like(b"/" + b"x" * 11)) is None
