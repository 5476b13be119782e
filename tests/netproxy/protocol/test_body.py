from __future__ import annotations

import time
from dataclasses import replace

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError
from netproxy.protocol.body import BodyReader, ChunkedReader, body_reader, framed
from netproxy.protocol.fields import CHUNKED, UNTIL_CLOSE, Length
from tests.support.readers import pieces

LIMITS = replace(Limits(), head_bytes=100)


def chunked(parts: list[bytes]) -> tuple[bytes, bool, bytes]:
    reader = ChunkedReader(LIMITS)
    content, unread = b"", b""
    for part in parts:
        if reader.is_finished:
            unread += part
        else:
            content += reader.receive(part)
    return content, reader.is_finished, reader.unread + unread


def test_length_stops_where_it_says() -> None:
    reader = body_reader(Length(5), LIMITS)
    steps = [(reader.receive(part), reader.is_finished) for part in (b"abc", b"defg")]
    assert steps == [(b"abc", False), (b"de", True)]
    assert reader.unread == b"fg"


def test_a_reader_of_no_kind_reads_nothing() -> None:
    with pytest.raises(NotImplementedError):
        BodyReader().receive(b"abc")


def test_until_close_never_finishes_by_itself() -> None:
    reader = body_reader(UNTIL_CLOSE, LIMITS)
    assert reader.receive(b"abc") == b"abc"
    assert not reader.is_finished


BODY = b'5\r\nhello\r\nA;x=y;z;q="a \\"b"\r\n0123456789\r\n0\r\nT: 1\r\n\r\nnext'


@given(pieces(BODY))
def test_chunks_wherever_they_are_split(parts: list[bytes]) -> None:
    assert chunked(parts) == (b"hello0123456789", True, b"next")


def test_chunks_byte_by_byte() -> None:
    assert chunked([BODY[at : at + 1] for at in range(len(BODY))])[:2] == (b"hello0123456789", True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"5\nhello\r\n0\r\n\r\n", id="bare-lf-size"),
        pytest.param(b"5\r\nhello\n0\r\n\r\n", id="bare-lf-end"),
        pytest.param(b"5\r\nhelloX\r\n0\r\n\r\n", id="too-long"),
        pytest.param(b"0x5\r\nhello\r\n0\r\n\r\n", id="0x"),
        pytest.param(b"+5\r\nhello\r\n0\r\n\r\n", id="sign"),
        pytest.param(b" 5\r\nhello\r\n0\r\n\r\n", id="leading-space"),
        pytest.param(b"5 \r\nhello\r\n0\r\n\r\n", id="trailing-space"),
        pytest.param(b"\r\n", id="no-size"),
        pytest.param(b"1" * 16 + b"\r\n", id="overflow"),
        pytest.param(b"5;a\x00b\r\nhello\r\n0\r\n\r\n", id="nul-in-extension"),
        pytest.param(b"5;a\rb\r\nhello\r\n0\r\n\r\n", id="cr-in-extension"),
        pytest.param(b"5;" + b"a" * 2000, id="endless-extension"),
        pytest.param(b"5 ;a\r\nhello\r\n0\r\n\r\n", id="9112-7.1.1-space-before-semicolon"),
        pytest.param(b"5; a\r\nhello\r\n0\r\n\r\n", id="9112-7.1.1-space-after-semicolon"),
        pytest.param(b'5;a="\r\nhello\r\n0\r\n\r\n', id="unclosed-quote-in-extension"),
        pytest.param(b"0\r\nT : 1\r\n\r\n", id="trailer-space"),
        pytest.param(b"0\r\nT: 1\n\r\n", id="trailer-bare-lf"),
        pytest.param(b"0\r\nContent-length: 5\r\n\r\n", id="9110-6.5.1-length-in-trailers"),
        pytest.param(b"0\r\nTransfer-Encoding: chunked\r\n\r\n", id="9110-6.5.1-coding"),
        pytest.param(b"0\r\nHost: b.test\r\n\r\n", id="9110-6.5.1-host"),
        pytest.param(b"0\r\n" + b"T: 1\r\n" * 40, id="endless-trailers"),
        pytest.param(b"0\r\nT: " + b"1" * 200, id="endless-trailer"),
    ],
)
def test_a_chunk_that_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(ClientProtocolError):
        chunked([body])
    with pytest.raises(ClientProtocolError):
        chunked([body[i : i + 1] for i in range(len(body))])


@pytest.mark.unmeasured
def test_what_is_left_of_a_buffer_is_not_copied_for_each_chunk() -> None:
    """64 KiB of chunks of one byte were a tenth of a second, in which nobody else was served."""
    data = b"1\r\nx\r\n" * 50_000

    def seconds(size: int) -> float:
        began = time.process_time()
        assert chunked([data[at : at + size] for at in range(0, len(data), size)])[1] is False
        return time.process_time() - began

    in_little_ones = min(seconds(6000) for _ in range(3))
    assert min(seconds(len(data)) for _ in range(3)) < 4 * in_little_ones


class _Llhttp:
    def __init__(self) -> None:
        self.content = b""
        self.is_finished = False

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.is_finished = True


@given(
    st.lists(st.sampled_from([b"5", b"\r\n", b"hello", b"0", b";x", b" ", b"A", b"\n", b"T: 1"]))
)
def test_whatever_is_accepted_here_llhttp_reads_the_same(parts: list[bytes]) -> None:
    """Two independent readers agree on every body that we take for whole."""
    try:
        content, is_finished, unread = chunked([b"".join(parts)])
    except ClientProtocolError:
        return
    if not is_finished or unread:
        return
    other = _Llhttp()
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    httptools.HttpRequestParser(other).feed_data(head + b"".join(parts))
    assert (other.content, other.is_finished) == (content, True)


def test_framed() -> None:
    assert framed(b"hello world", CHUNKED) == b"b\r\nhello world\r\n"
    assert framed(b"hello", Length(5)) == b"hello"
