"""Nobody before or behind us reads a message otherwise than we do.

The claim: whatever our reader of HTTP/1 takes, two readers that others keep (h11, and llhttp as
httptools has it) take too, with the same start, fields, content and end; and what we write of it
they read as exactly one message with that content. The other way round need not hold: what they
take and we refuse has its rows in `REFUSED`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.connection.targets import http_destination
from netproxy.errors import ClientProtocolError, InvalidDestination, OriginProtocolError
from netproxy.protocol.body import body_reader, framed
from netproxy.protocol.fields import HOP_BY_HOP, Chunked, Framing, UntilClose
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import (
    ResponseHead,
    ResponseReader,
    client_framing,
    refuse_unforwardable,
    request_head,
    response_head,
)
from tests.support import http_messages
from tests.support.http_messages import METHODS, amiss
from tests.support.other_readers import Fields, Message, Refused, by_h11, by_llhttp, lowered
from tests.support.readers import fed, pieces

LIMITS = Limits()
EXAMPLES = settings(max_examples=250)
# What is written anew, whatever came; the rest has to arrive as it was.
WRITTEN = HOP_BY_HOP | {b"content-length", b"via", b"date", b"host"}
LLHTTP_METHODS = {*METHODS, b"CONNECT"}  # of those that are sent here; it knows no others


def read_request(parts: list[bytes]) -> tuple[RequestHead, Message] | Refused:
    """The first request in these bytes, by us."""
    reader = RequestReader(LIMITS)
    try:
        head, later = fed(reader.receive, parts)
        if head is None:
            return Refused("the head has no end")
        body = _read_body(head.framing, reader.unread, later)
    except ClientProtocolError as refused:
        return Refused(refused)
    if isinstance(body, Refused):
        return body
    target = head.authority.encode() if head.is_connect else b"http://%b%b" % (
        head.authority.encode(), head.path,
    )  # fmt: skip
    start = (head.method.encode(), target, head.minor)
    return head, _message(start, head.fields, body)


def read_response(
    parts: list[bytes], method: str, *, ended: bool
) -> tuple[ResponseHead, Message] | Refused:
    """The first response in these bytes, by us."""
    reader = ResponseReader(LIMITS, method)
    try:
        head, later = fed(reader.receive, parts)
        if head is None:
            return Refused("the head has no end")
        body = _read_body(head.framing, reader.unread, later, ended=ended)
    except (ClientProtocolError, OriginProtocolError) as refused:
        return Refused(refused)
    if isinstance(body, Refused):
        return body
    return head, _message((head.status, head.reason, head.minor), head.fields, body)


def _read_body(
    framing: Framing, *parts: bytes, ended: bool = False
) -> tuple[bytes, bytes] | Refused:
    reader, content, rest = body_reader(framing, LIMITS), b"", b""
    for part in parts:
        if reader.is_finished:
            rest += part
        else:
            content += reader.receive(part)
    if reader.is_finished or (ended and isinstance(framing, UntilClose)):
        return content, reader.unread + rest
    return Refused("the body has no end")


def _message(start: tuple[bytes | int, ...], fields: Fields, body: tuple[bytes, bytes]) -> Message:
    content, rest = body
    return Message(start=start, fields=lowered(fields), content=content, rest=rest)


def unspelled(message: Message | Refused) -> object:
    """What is left of a message when spelling that means nothing is taken away."""
    if isinstance(message, Refused):
        return message
    first, second, *rest = message.start
    if isinstance(second, bytes) and second[:7].lower() == b"http://":
        second = b"http://" + second[7:]  # RFC 3986 section 3.1
    # h11 writes the only coding that it knows in lower case.
    fields = [
        (name, value.lower() if name == b"transfer-encoding" else value)
        for name, value in message.fields
    ]
    return (first, second, *rest), fields, message.content, message.rest


def check_request(data: bytes) -> None:
    outcome = read_request([data])
    if isinstance(outcome, Refused):
        return
    head, ours = outcome
    # RFC 9112 section 2.2 has a server skip an empty line; h11 leaves that to its user.
    skipped = data.removeprefix(b"\r\n").removeprefix(b"\r\n")
    if head.is_connect:
        # What follows is the tunnel's; h11 waits for the answer before it says so.
        skipped, data = skipped.removesuffix(ours.rest), data.removesuffix(ours.rest)
        ours = replace(ours, rest=b"")
    assert unspelled(by_h11(skipped)) == unspelled(ours)
    if ours.start[0] in LLHTTP_METHODS:
        alone = replace(ours, rest=b"")
        assert unspelled(by_llhttp(data.removesuffix(ours.rest))) == unspelled(alone)
    if not head.is_connect:
        with suppress(InvalidDestination, ClientProtocolError):
            check_request_written(head, ours)


def check_request_written(head: RequestHead, read: Message) -> None:
    """Raises what the proxy would answer to a request that goes no further."""
    where = http_destination(head)
    refuse_unforwardable(head, "netproxy-0")
    written = request_head(head, where, via="netproxy-0") + body(read.content, head.framing)
    other = by_h11(written)
    assert isinstance(other, Message), (other, written)
    path = head.path if head.path.startswith(b"/") else b"/" + head.path
    stars = head.method == "OPTIONS" and not head.path
    assert other.start == (head.method.encode(), b"*" if stars else path, 1)
    assert passed_on(other.fields, head.options) == passed_on(read.fields, head.options)
    assert (other.content, other.rest) == (read.content, b"")
    if read.start[0] in LLHTTP_METHODS:
        assert unspelled(by_llhttp(written)) == unspelled(other)


def passed_on(fields: Fields, options: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    counted = WRITTEN | options | {b"max-forwards", b"expect"}
    return [(name, value) for name, value in fields if name not in counted]


def body(content: bytes, framing: Framing) -> bytes:
    """As it is sent on: in one piece."""
    if not isinstance(framing, Chunked):
        return content
    return (framed(content, framing) if content else b"") + b"0\r\n\r\n"


def check_response(data: bytes, method: str, *, ended: bool) -> None:
    outcome = read_response([data], method, ended=ended)
    if isinstance(outcome, Refused):
        return
    head, ours = outcome
    skipped = data.removeprefix(b"\r\n").removeprefix(b"\r\n")
    other = by_h11(skipped, answers=method, ended=ended)
    assert isinstance(other, Message), other
    assert unspelled(other) == unspelled(ours)
    # llhttp's binding can't be told the method, and does not hear that the sender has closed.
    if method == "GET" and not isinstance(head.framing, UntilClose):
        third = by_llhttp(data.removesuffix(ours.rest), is_response=True)
        alone = replace(ours, rest=b"")
        assert unspelled(third) == unspelled(alone)
    check_response_written(head, ours, method)


def check_response_written(head: ResponseHead, read: Message, method: str) -> None:
    """What the client gets is one message, to a client of either version."""
    for minor in (0, 1):
        framing = client_framing(head, minor=minor)
        closes = isinstance(framing, UntilClose)
        written = response_head(
            head, framing=framing, via="netproxy-0", date="now", keep_alive=not closes
        )
        bodiless = method == "HEAD" or head.status in {204, 304} or not head.is_final
        written += b"" if bodiless else body(read.content, framing)
        other = by_h11(written, answers=method, ended=closes)
        assert isinstance(other, Message), (other, written)
        assert other.start == (*read.start[:2], 1)
        assert passed_on(other.fields, head.options) == passed_on(read.fields, head.options)
        assert (other.content, other.rest) == (read.content, b"")


@EXAMPLES
@given(amiss(http_messages.requests()))
def test_a_request_that_we_take_is_the_same_to_all(data: bytes) -> None:
    check_request(data)


@EXAMPLES
@given(amiss(http_messages.responses()), st.sampled_from(["GET", "HEAD"]), st.booleans())
def test_a_response_that_we_take_is_the_same_to_all(data: bytes, method: str, ended: bool) -> None:
    check_response(data, method, ended=ended)


@given(http_messages.requests(), http_messages.responses())
def test_a_good_message_is_taken(request: bytes, response: bytes) -> None:
    """Whoever refuses everything would agree with everybody."""
    assert not isinstance(read_request([request]), Refused)
    assert not isinstance(read_response([response], "GET", ended=True), Refused)


@given(st.data())
def test_where_the_bytes_are_split_never_matters(data: st.DataObject) -> None:
    """In head and body, of good messages and bad ones."""
    request = data.draw(amiss(http_messages.requests()))
    assert same(read_request(data.draw(pieces(request)))) == same(read_request([request]))
    response = data.draw(amiss(http_messages.responses()))
    parts = data.draw(pieces(response))
    assert same(read_response(parts, "GET", ended=True)) == same(
        read_response([response], "GET", ended=True)
    )


def same(outcome: tuple[object, Message] | Refused) -> object:
    """Which of two things wrong with a message is named first may depend on the split."""
    return "refused" if isinstance(outcome, Refused) else outcome[1]


CONNECT = b"CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n"
POST = b"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = b"hello\r\n0\r\n\r\n"
GET = b"GET http://a.test/ HTTP/1.1\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
BOTH, H11, LLHTTP, NOBODY = {"h11", "llhttp"}, {"h11"}, {"llhttp"}, set[str]()
# What we refuse, by its rule, and who of the others takes it.
REFUSED = [
    ("9112-2.2-bare-lf-after-a-field", POST + b"A: b\nB: c\r\n\r\n", H11),
    ("9112-2.2-bare-lf-ends-the-head", POST + b"A: b\r\n\n", H11),
    ("9112-2.2-bare-lf-after-the-line", b"GET http://a.test/ HTTP/1.1\nHost: a.test\n\n", H11),
    ("9112-2.2-cr-before-the-line", b"\r" + GET + b"Host: a.test\r\n\r\n", LLHTTP),
    ("9112-2.2-many-empty-lines", b"\r\n" * 3 + GET + b"Host: a.test\r\n\r\n", LLHTTP),
    ("9112-2.3-http-2.0", GET.replace(b"1.1", b"2.0") + b"Host: a.test\r\n\r\n", BOTH),
    ("9112-2.3-http-1.2", GET.replace(b"1.1", b"1.2") + b"Host: a.test\r\n\r\n", H11),
    ("9112-3-two-spaces", b"GET  http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", LLHTTP),
    ("9112-3.2-no-host", GET + b"\r\n", LLHTTP),
    ("9112-3.2-two-hosts", GET + b"Host: a.test\r\nHost: b.test\r\n\r\n", LLHTTP),
    ("9112-3.2-host-is-a-list", GET + b"Host: a.test, b.test\r\n\r\n", BOTH),
    ("9112-3.2.2-another-host", GET + b"Host: b.test\r\n\r\n", BOTH),
    ("9110-4.2.4-userinfo", GET.replace(b"//", b"//b@") + b"Host: a.test\r\n\r\n", BOTH),
    ("9110-4.1-fragment", GET.replace(b"/ ", b"/#x ") + b"Host: a.test\r\n\r\n", BOTH),
    ("9112-5.2-obs-fold", POST + b"A: b\r\n c\r\n\r\n", H11),
    ("9110-5.5-control", POST + b"A: \x01\r\n\r\n", H11),
    ("9110-5.5-delete", POST + b"A: \x7f\r\n\r\n", H11),
    ("9112-6.1-coding-in-1.0", POST.replace(b"1.1", b"1.0") + CHUNKED + b"0\r\n\r\n", BOTH),
    ("9112-6.1-other-coding", POST + CHUNKED.replace(b"ch", b"gzip, ch") + b"0\r\n\r\n", LLHTTP),
    ("9110-9.3.6-connect-with-a-body", CONNECT + b"Content-Length: 2\r\n\r\n", LLHTTP),
    ("9112-6.3-length-and-coding", POST + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n", H11),
    ("9112-6.3-length-twice", POST + b"Content-Length: 2\r\n" * 2 + b"\r\nhi", H11),
    ("9112-6.3-length-is-a-list", POST + b"Content-Length: 2, 2\r\n\r\nhi", H11),
    ("9112-7.1-space-after-size", POST + CHUNKED + b"5 \r\n" + HELLO, H11),
    ("9112-7.1-size-overflows", POST + CHUNKED + b"0" * 12 + b"0005\r\n" + HELLO, BOTH),
    ("9112-7.1.1-bad-whitespace", POST + CHUNKED + b"5; a=b\r\n" + HELLO, H11),
    ("9112-7.1.1-control", POST + CHUNKED + b"5;\x01\r\n" + HELLO, H11),
    ("9112-7.1.2-folded-trailer", POST + CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n", H11),
    ("9110-6.5.1-host-in-trailers", POST + CHUNKED + b"0\r\nHost: b.test\r\n\r\n", BOTH),
    ("9110-7.6.1-connection-names-host", GET + b"Host: a.test\r\nConnection: host\r\n\r\n", BOTH),
    ("9110-9.3.8-trace", GET.replace(b"GET", b"TRACE") + b"Host: a.test\r\n\r\n", BOTH),
    ("9112-4-bare-lf", OK.replace(b"\r", b"") + b"Content-Length: 0\r\n\r\n", H11),
    ("9112-5.2-obs-fold-in-answer", OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", H11),
    ("9112-6.3-both-in-answer", OK + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n", H11),
    # What nobody takes.
    ("9112-5.1-space-before-colon", POST + b"A : b\r\n\r\n", NOBODY),
    ("9110-5.5-nul", POST + b"A: \0\r\n\r\n", NOBODY),
    ("9112-6.1-unknown-coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n", NOBODY),
    ("9112-6.1-coding-twice", POST + CHUNKED[:-2] + CHUNKED + b"0\r\n\r\n", NOBODY),
    ("9112-6.3-sign", POST + b"Content-Length: +2\r\n\r\nhi", NOBODY),
    ("9112-6.3-lengths-differ", POST + b"Content-Length: 2, 3\r\n\r\nhi", NOBODY),
    ("9112-7.1-0x", POST + CHUNKED + b"0x5\r\n" + HELLO, NOBODY),
    ("9112-7.1-bare-lf-after-size", POST + CHUNKED + b"5\n" + HELLO, NOBODY),
    ("9112-7.1-chunk-too-long", POST + CHUNKED + b"4\r\n" + HELLO, NOBODY),
    ("9112-7.1-junk-after-chunk", POST + CHUNKED + b"5\r\nhelloXX0\r\n\r\n", NOBODY),
    ("9112-7.1.1-whitespace-before", POST + CHUNKED + b"5 ;a\r\n" + HELLO, NOBODY),
    ("9110-6.5.1-length-in-trailers", POST + CHUNKED + b"0\r\nContent-Length:\r\n\r\n", NOBODY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "takers"), [pytest.param(data, who, id=name) for name, data, who in REFUSED]
)
def test_what_others_take_and_we_refuse(data: bytes, takers: set[str]) -> None:
    """Each by its rule: a new release of theirs that agrees with us shows here."""
    if data.startswith(b"HTTP"):
        ours: object = read_response([data], "GET", ended=True)
        others = {"h11": by_h11(data, answers="GET"), "llhttp": by_llhttp(data, is_response=True)}
    else:
        ours = read_request([data])
        others = {"h11": by_h11(data), "llhttp": by_llhttp(data)}
    assert isinstance(ours, Refused)
    assert {name for name, read in others.items() if isinstance(read, Message)} == takers
