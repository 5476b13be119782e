"""Request heads as RFC 9112 wants a strict reader to read them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import CHUNKED, NO_BODY, Length
from netproxy.protocol.http1 import RequestHead, RequestReader
from tests.support.readers import fed, pieces

CONNECT = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
GET = b"GET http://a.test/x?y=1 HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nX-Two:2 \r\n\r\n"
LIMITS = Limits()
SMALL = replace(LIMITS, head_bytes=300, target_bytes=60, header_count=4)


def read(data: bytes, limits: Limits = LIMITS) -> RequestHead:
    head = RequestReader(limits).receive(data)
    assert isinstance(head, RequestHead)
    return head


def test_connect_gives_authority_and_keeps_what_came_early() -> None:
    reader = RequestReader(Limits())
    head = reader.receive(CONNECT + b"\x16\x03\x01early")
    assert isinstance(head, RequestHead)
    assert (head.method, head.authority, head.path, head.is_connect) == (
        "CONNECT", "a.test:443", b"", True,
    )  # fmt: skip
    assert reader.unread == b"\x16\x03\x01early"


def test_a_plain_request_keeps_path_fields_and_their_order() -> None:
    head = read(GET)
    assert (head.authority, head.path, head.framing) == ("a.test", b"/x?y=1", NO_BODY)
    assert head.fields == ((b"Host", b"a.test"), (b"X-One", b"1"), (b"X-Two", b"2"))
    assert head.keep_alive


@pytest.mark.parametrize(
    ("line", "fields", "expected"),
    [
        pytest.param(b"HTTP/1.1", b"Host: a.test\r\n", True, id="1.1"),
        pytest.param(b"HTTP/1.1", b"Host: a.test\r\nConnection: Close\r\n", False, id="close"),
        pytest.param(b"HTTP/1.0", b"", False, id="1.0"),
        pytest.param(b"HTTP/1.0", b"Connection: keep-alive\r\n", False, id="9112-9.3-1.0-proxy"),
    ],
)
def test_keep_alive(line: bytes, fields: bytes, expected: bool) -> None:
    head = read(b"GET http://a.test/ " + line + b"\r\n" + fields + b"\r\n")
    assert head.keep_alive is expected


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        pytest.param(b"", NO_BODY, id="none"),
        pytest.param(b"Content-Length: 12\r\n", Length(12), id="length"),
        pytest.param(b"transfer-encoding: Chunked\r\n", CHUNKED, id="chunked"),
    ],
)
def test_framing(fields: bytes, framing: object) -> None:
    assert read(b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n" + fields + b"\r\n").framing == (
        framing
    )


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://a.test", b"a.test"),
        (b"http://A.test/", b"a.TEST"),
        (b"HTTP://a.test:80/", b"a.test"),
        (b"http://a.test/", b"a.test:80"),
        (b"http://[::1]:8080/x", b"[::1]:8080"),
        (b"http://a.test?q", b"a.test"),
    ],
)
def test_host_may_be_spelled_differently_but_not_differ(target: bytes, host: bytes) -> None:
    head = read(b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert head.authority


@pytest.mark.parametrize("count", [1, 2])
def test_r14_empty_lines_before_the_request_are_ignored(count: int) -> None:
    assert read(b"\r\n" * count + GET).authority == "a.test"


def test_r16_any_method_token_is_forwarded_as_it_is() -> None:
    assert read(GET.replace(b"GET", b"x-Frob")).method == "x-Frob"


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        pytest.param(b"GET http://a.test/" + b"a" * 60 + b" HTTP/1.1\r\n", 414, id="target"),
        pytest.param(b"GET http://a.test/" + b"a" * 400, 414, id="endless-target"),
        pytest.param(GET[:-2] + b"X: " + b"a" * 300, 431, id="endless-field"),
        pytest.param(GET[:-2] + b"X: " + b"a" * 300 + b"\r\n\r\n", 431, id="field"),
        pytest.param(GET[:-2] + b"X: 1\r\n" * 2 + b"\r\n", 431, id="count"),
    ],
)
def test_limits(data: bytes, limit: int) -> None:
    with pytest.raises(ClientProtocolError) as refused:
        RequestReader(SMALL).receive(data)
    assert refused.value.status == limit


@pytest.mark.parametrize(
    ("target", "word"),
    [
        pytest.param(b"http://a.test/x#part", "fragment", id="fragment"),
        pytest.param(b"http://a.test\\@b.test/", "backslash", id="backslash"),
        pytest.param(b"http://b.test@a.test/", "userinfo", id="userinfo"),
        pytest.param(b"http://a.test,b.test/", "host:port", id="authority"),
        pytest.param(b"/x", "whole URL", id="origin-form"),
        pytest.param(b"a.test:80", "not an http URL", id="no-scheme"),
        pytest.param(b"https://a.test/", "CONNECT", id="https"),
        pytest.param(b"HTTP:///x", "names no host", id="no-host"),
        pytest.param(b"ftp://a.test/", "only http", id="other-scheme"),
    ],
)
def test_a_target_that_is_no_http_url_is_refused_in_words(target: bytes, word: str) -> None:
    with pytest.raises(ClientProtocolError, match=word):
        RequestReader(LIMITS).receive(b"GET " + target + b" HTTP/1.1\r\nHost: a.test\r\n\r\n")


def test_not_yet_has_a_name_in_failures() -> None:
    assert repr(RequestReader(LIMITS).receive(b"GET")) == "NEED_DATA"


def test_a_head_of_exactly_the_limit_is_read() -> None:
    fill = 300 - len(GET) - len(b"X: \r\n")
    assert read(GET[:-2] + b"X: " + b"a" * fill + b"\r\n\r\n", SMALL).method == "GET"


def outcome(parts: list[bytes], limits: Limits) -> object:
    reader = RequestReader(limits)
    try:
        head, rest = fed(reader.receive, parts)
    except ClientProtocolError as refused:
        return refused.status
    return head, reader.unread + rest if head else None


HEADS = [
    CONNECT + b"tail",
    GET + GET,
    b"\r\n" + GET,
    GET.replace(b"\r\nX-Two", b"\nX-Two"),
    GET.replace(b"Host", b"Host "),
    b"GET http://a.test/\r\nHost: a.test\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\x05\x01\x00",
    b"GET http://a.test/" + b"a" * 120 + b"\n",
    GET[:-2] + b"X: " + b"a" * 400 + b"\n\n",
    b"\r\n\r\n\r\n" + GET,
    b"\r\r\n" + GET,
    b"GET http://a.test/ HTTP/1.1\r\n\n",
    b"GET http://a.test/ HTTP/1.0\r\n\r\nrest",
]


@given(st.sampled_from(HEADS).flatmap(lambda data: st.tuples(st.just(data), pieces(data))))
def test_where_the_bytes_are_split_never_matters(case: tuple[bytes, list[bytes]]) -> None:
    whole, parts = case
    assert outcome(parts, SMALL) == outcome([whole], SMALL)


@pytest.mark.parametrize("data", HEADS)
def test_one_byte_at_a_time(data: bytes) -> None:
    parts = [data[i : i + 1] for i in range(len(data))]
    assert outcome(parts, SMALL) == outcome([data], SMALL)


WORDS = st.sampled_from(
    [b"GET ", b"CONNECT ", b"http://a.test/", b"a.test:443", b" HTTP/1.1", b"\r\n", b"\n", b"\r",
     b"Host: a.test", b"Host", b":", b" ", b"Content-Length: 3", b"Transfer-Encoding: chunked",
     b"Connection: ", b"upgrade", b"\0", b"\xff", b"\x16"]
)  # fmt: skip


@given(st.lists(WORDS | st.binary(max_size=8), max_size=24))
def test_no_bytes_raise_anything_but_a_protocol_error(parts: list[bytes]) -> None:
    reader = RequestReader(SMALL)
    try:
        for part in parts:
            if not isinstance(reader.receive(part), NeedData):
                return
    except ClientProtocolError:
        return


def test_whether_anything_came_and_whether_a_100_is_waited_for() -> None:
    reader = RequestReader(LIMITS)
    before = reader.is_empty
    reader.receive(b"GET ")
    assert (before, reader.is_empty) == (True, False)
    asks = b"POST http://a.test/ HTTP/1.%d\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n"
    assert read(asks % 1).expects_continue
    assert not read(asks % 0).expects_continue


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n",
        b"CONNECT a.test:443/ HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
        b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_two_hosts_a_path_behind_an_authority_and_content_of_connect(data: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        read(data)


def test_the_older_version_may_name_no_host() -> None:
    asked = b"GET http://a.test/ HTTP/1.%d\r\n\r\n"
    assert read(asked % 0).authority == "a.test"
    with pytest.raises(ClientProtocolError):
        read(asked % 1)


@pytest.mark.parametrize("host", [b"a.test:", b"a b", b"a.test:443:1", b"u@a.test"])
def test_a_host_field_is_host_and_port_and_nothing_else(host: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        read(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"HEAD http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", "HEAD"),
        (b"HEAD http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX y: a\r\n\r\n", "HEAD"),
        (b"HEAD http://a.test/ HTTP/2.0\r\n\r\n", "none"),
    ],
)
def test_a_refusal_knows_the_method_where_that_was_read(data: bytes, method: str) -> None:
    with pytest.raises(ClientProtocolError) as refused:
        read(data)
    assert refused.value.method == method
