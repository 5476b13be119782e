"""What goes on of an answer, when it is whole, and whose connection outlives it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.protocol.answer import Answer, begun, final_answer
from netproxy.protocol.body import body_reader
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import ResponseHead, ResponseReader

LIMITS = Limits()
LENGTH = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = (
    b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\nhello"


def request(method: str = "GET", *fields: str, minor: int = 1) -> RequestHead:
    lines = [f"{method} http://a.test/ HTTP/1.{minor}", "Host: a.test", *fields, "\r\n"]
    head = RequestReader(LIMITS).receive("\r\n".join(lines).encode())
    assert isinstance(head, RequestHead)
    return head


def first(data: bytes, asked: RequestHead | None = None) -> tuple[Answer, bytes] | None:
    return begun(asked or request(), data, limits=LIMITS, via="p", date=lambda: "now")


def by_the_other_reader(data: bytes, asked: RequestHead) -> tuple[Answer, bytes]:
    reader = ResponseReader(LIMITS, asked.method)
    head = reader.receive(data)
    assert isinstance(head, ResponseHead)
    answer, written = final_answer(asked, head, is_sent=True, limits=LIMITS, via="p", date="now")
    return answer, written + answer.receive(reader.unread)


def said(answer: Answer) -> tuple[object, ...]:
    return (
        answer.status, answer.is_over, answer.is_whole, answer.keeps_client, answer.keeps_origin,
        answer.unread,
    )  # fmt: skip


@pytest.mark.parametrize("data", [LENGTH, CHUNKS, UNTIL_CLOSE, LENGTH + b"more"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_to_begin_are_one(data: bytes, method: str) -> None:
    asked = request(method)
    quick = first(data, asked)
    assert quick is not None
    slow = by_the_other_reader(data, asked)
    assert (said(quick[0]), quick[1]) == (said(slow[0]), slow[1])


@given(st.sampled_from([LENGTH, CHUNKS]), st.data())
def test_where_content_is_split_does_not_matter(data: bytes, drawn: st.DataObject) -> None:
    head = data.index(b"\r\n\r\n") + 4
    cut = drawn.draw(st.integers(head, len(data)))
    found = first(data[:cut])
    assert found is not None
    answer, ready = found
    if not answer.is_over:
        ready += answer.receive(data[cut:])
    assert said(answer) == (200, True, True, True, True, b"")
    assert content_of(ready) == b"hello"


def content_of(written: bytes) -> bytes:
    """As the client reads it."""
    reader = ResponseReader(LIMITS, "GET")
    head = reader.receive(written)
    assert isinstance(head, ResponseHead)
    return body_reader(head.framing, LIMITS).receive(reader.unread)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(LENGTH[:30], id="not-whole"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + LENGTH, id="interim"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", id="switch"),
        pytest.param(b"hello\r\n\r\n", id="malformed"),
    ],
)
def test_what_is_no_whole_final_head_begins_nothing(data: bytes) -> None:
    assert first(data) is None


def test_what_ends_by_closing_is_whole_then() -> None:
    found = first(UNTIL_CLOSE)
    assert found is not None
    answer, ready = found
    assert not answer.is_over
    assert (ready + answer.end()).endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert answer.is_whole
    assert not answer.keeps_origin


def test_half_an_answer_ends_the_clients_connection() -> None:
    found = first(LENGTH[:-1])
    assert found is not None
    answer, _ = found
    assert answer.keeps_client
    assert answer.end() == b""
    assert said(answer)[1:4] == (True, False, False)


@pytest.mark.parametrize("data", [UNTIL_CLOSE, CHUNKS[:-9]])
@pytest.mark.parametrize("minor", [0, 1])
def test_one_that_was_broken_off_is_not_whole(data: bytes, minor: int) -> None:
    answer, _ = by_the_other_reader(data, request(minor=minor))
    answer.break_off()
    assert said(answer)[1:4] == (True, False, False)
    assert answer.seems_whole is (minor == 0)
    whole, _ = by_the_other_reader(UNTIL_CLOSE, request(minor=minor))
    whole.end()
    assert not whole.seems_whole


def test_so_do_malformed_chunks() -> None:
    found = first(CHUNKS[: CHUNKS.index(b"3\r\n")])
    assert found is not None
    answer, _ = found
    assert answer.receive(b"x\r\n") == b""
    assert said(answer)[1:4] == (True, False, False)


def test_to_a_client_that_keeps_nothing_it_is_its_last() -> None:
    for asked in (request("GET", "Connection: close"), request(minor=0)):
        answer, written = by_the_other_reader(LENGTH, asked)
        assert not answer.keeps_client
        assert b"\r\nConnection: close\r\n" in written


@pytest.mark.parametrize(
    ("fields", "goes_on"),
    [(("TE: trailers", "Connection: TE"), True), (("TE: trailers",), False)],
)
def test_trailers_go_to_who_wants_them(fields: tuple[str, ...], *, goes_on: bool) -> None:
    data = CHUNKS.replace(b"Date", b"Trailer: X-Sum\r\nDate").replace(
        b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"
    )
    answer, written = by_the_other_reader(data, request("GET", *fields))
    assert answer.is_whole
    assert written.endswith(b"0\r\nX-Sum: 1\r\n\r\n") == goes_on
    assert (b"\r\nTrailer: x-sum\r\n" in written) == goes_on
