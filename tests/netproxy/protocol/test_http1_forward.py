"""What is changed on the way, each row with its section of RFC 9110 or 9112."""

from __future__ import annotations

import pytest

from netproxy.config import Limits
from netproxy.errors import ClientProtocolError, OriginProtocolError
from netproxy.model import Destination, Protocol
from netproxy.protocol.fields import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Length
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import (
    ResponseHead,
    ResponseReader,
    client_framing,
    refuse_unforwardable,
    request_head,
    response_head,
)

A_TEST = Destination(host="a.test", port=80, protocol=Protocol.HTTP)


def request(line: str = "GET http://a.test/ HTTP/1.1", *fields: str) -> RequestHead:
    host = () if line.endswith("1.0") else ("Host: a.test",)
    data = "\r\n".join([line, *host, *fields, "\r\n"]).encode("latin-1")
    head = RequestReader(Limits()).receive(data)
    assert isinstance(head, RequestHead)
    return head


def forwarded(head: RequestHead, destination: Destination = A_TEST) -> list[str]:
    return request_head(head, destination, via="netproxy-1").decode("latin-1").split("\r\n")


def response(data: bytes, method: str = "GET") -> ResponseHead:
    head = ResponseReader(Limits(), method).receive(data)
    assert isinstance(head, ResponseHead)
    return head


def test_the_whole_request() -> None:
    head = request("POST http://a.test/x?y HTTP/1.1", "X-A: 1", "Content-Length: 3", "x-a: 2")
    assert forwarded(head) == [
        "POST /x?y HTTP/1.1", "Host: a.test", "X-A: 1", "x-a: 2", "Via: 1.1 netproxy-1",
        "Content-Length: 3", "Connection: close", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("Connection: x-secret", "X-Secret: 1"),
        ("Keep-Alive: timeout=5", ""),
        ("Proxy-Connection: keep-alive", ""),
        ("TE: trailers", ""),
        ("Trailer: X", ""),
        ("Upgrade: tls/1.2", "Connection: Upgrade"),
        ("HTTP2-Settings: AAA", ""),
        ("Proxy-Authorization: Basic c2VjcmV0", ""),
    ],
    ids=lambda text: text.split(":")[0],
)
def test_r45_r46_r51_r62_hop_by_hop_fields_end_here(field: str, options: str) -> None:
    fields = (field, options) if options else (field,)
    lines = forwarded(request("GET http://a.test/ HTTP/1.1", *fields))
    assert lines == [
        "GET / HTTP/1.1", "Host: a.test", "Via: 1.1 netproxy-1", "Connection: close", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "method", "sent"),
    [
        ("http://a.test", "GET", "/"),
        ("http://a.test?q=1", "GET", "/?q=1"),
        ("http://a.test", "OPTIONS", "*"),
        ("http://a.test/", "OPTIONS", "/"),
        ("http://a.test//x/../y%2e;z?a=%20b", "GET", "//x/../y%2e;z?a=%20b"),
    ],
)
def test_r6_r54_the_path_goes_on_byte_for_byte(target: str, method: str, sent: str) -> None:
    assert forwarded(request(f"{method} {target} HTTP/1.1"))[0] == f"{method} {sent} HTTP/1.1"


@pytest.mark.parametrize(
    ("host", "port", "written"),
    [("a.test", 8080, "a.test:8080"), ("::1", 80, "[::1]"), ("::1", 81, "[::1]:81")],
)
def test_host_is_made_from_the_target(host: str, port: int, written: str) -> None:
    destination = Destination(host=host, port=port, protocol=Protocol.HTTP)
    assert forwarded(request(), destination)[1] == f"Host: {written}"


def test_r17_r57_an_http_1_0_client_is_translated() -> None:
    lines = forwarded(request("GET http://a.test/ HTTP/1.0", "Expect: 100-continue"))
    assert lines[0].endswith("HTTP/1.1")
    assert "Via: 1.0 netproxy-1" in lines
    assert not [line for line in lines if line.startswith("Expect")]


@pytest.mark.parametrize("value", ["200-ok", "100-continue, x", "100-continue=1", ""])
def test_r55_no_other_expectation_can_be_met(value: str) -> None:
    with pytest.raises(ClientProtocolError) as refused:
        refuse_unforwardable(request("POST http://a.test/ HTTP/1.1", f"Expect: {value}"), "p")
    assert refused.value.status == 417
    refuse_unforwardable(request("POST http://a.test/ HTTP/1.0", f"Expect: {value}"), "p")
    refuse_unforwardable(request("POST http://a.test/ HTTP/1.1", "Expect: 100-Continue"), "p")


def test_r55_expect_goes_on() -> None:
    lines = forwarded(request("POST http://a.test/ HTTP/1.1", "Expect: 100-continue"))
    assert "Expect: 100-continue" in lines


@pytest.mark.parametrize(
    "via", ["1.1 netproxy-1", "1.0 x, 1.1 netproxy-1 (c)", "HTTP/1.1 netproxy-1"]
)
def test_r48_our_own_via_is_a_loop(via: str) -> None:
    with pytest.raises(ClientProtocolError) as refused:
        refuse_unforwardable(request("GET http://a.test/ HTTP/1.1", f"Via: {via}"), "netproxy-1")
    assert refused.value.status == 508
    assert refused.value.method == "GET"
    refuse_unforwardable(request("GET http://a.test/ HTTP/1.1", f"Via: {via}"), "netproxy-2")


def test_r49_max_forwards_counts_down_for_options() -> None:
    head = request("OPTIONS http://a.test/ HTTP/1.1", "Max-Forwards: 3")
    refuse_unforwardable(head, "x")
    assert "Max-Forwards: 2" in forwarded(head)
    # More digits than `int` reads (4,300) are no number of hops either.
    for bad in ("0", "x", "-1", "", "9" * 5_000):
        with pytest.raises(ClientProtocolError):
            refuse_unforwardable(
                request("OPTIONS http://a.test/ HTTP/1.1", f"Max-Forwards: {bad}"), "x"
            )
    other = request("GET http://a.test/ HTTP/1.1", "Max-Forwards: 0")
    refuse_unforwardable(other, "x")
    assert "Max-Forwards: 0" in forwarded(other)


def test_chunked_requests_stay_chunked() -> None:
    head = request("POST http://a.test/ HTTP/1.1", "Transfer-Encoding: chunked")
    assert "Transfer-Encoding: chunked" in forwarded(head)


@pytest.mark.parametrize(
    ("data", "method", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "GET", Length(3)),
        (b"HTTP/1.1 200\r\n\r\n", "GET", UNTIL_CLOSE),
        (b"HTTP/1.0 200 OK\r\n\r\n", "GET", UNTIL_CLOSE),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", CHUNKED),
        (
            b"HTTP/1.1 200\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET",
            CHUNKED,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD", NO_BODY),
        (b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", "GET", NO_BODY),
        (b"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n", "GET", NO_BODY),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", "GET", NO_BODY),
    ],
)
def test_response_framing_9112_6_3(data: bytes, method: str, framing: Framing) -> None:
    assert response(data, method).framing == framing


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: 1\n\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"\x00\x01",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\n",
    ],
)
def test_r63_an_answer_that_two_readers_could_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(OriginProtocolError):
        ResponseReader(Limits(), "GET").receive(data)


@pytest.mark.parametrize(
    ("method", "data", "persists"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", True),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", True),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\n", False),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: X, Close\r\nContent-Length: 3\r\n\r\n", False),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", False),
        # Content that must not come, and does from some.
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", False),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", False),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", False),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_after_which_answers_another_request_may_follow(
    method: str, data: bytes, persists: bool
) -> None:
    assert response(data, method).persists is persists


def test_an_origin_is_told_when_no_other_request_follows() -> None:
    def lines(*, persists: bool) -> list[bytes]:
        return request_head(request(), A_TEST, via="p", persists=persists).split(b"\r\n")

    assert b"Connection: close" in lines(persists=False)
    assert not [line for line in lines(persists=True) if line.startswith(b"Connection")]


SWITCHES = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX: 1\r\n\r\n"


def test_a_switch_that_was_asked_for() -> None:
    asked = request("GET http://a.test/ HTTP/1.1", "Connection: upgrade", "Upgrade: websocket")
    assert forwarded(asked)[-4:] == ["Connection: Upgrade", "Upgrade: websocket", "", ""]
    reader = ResponseReader(Limits(), "GET", wants_websocket=asked.wants_websocket)
    head = reader.receive(SWITCHES)
    assert isinstance(head, ResponseHead)
    assert head.switches
    assert sent(head, NO_BODY) == [
        "HTTP/1.1 101 Switching", "X: 1", "Via: 1.1 p", "Connection: Upgrade",
        "Upgrade: websocket", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [(b"Web", b"Wet"), (b"1.1", b"1.0")])
def test_a_switch_to_something_else_is_refused(old: bytes, new: bytes) -> None:
    reader = ResponseReader(Limits(), "GET", wants_websocket=True)
    with pytest.raises(OriginProtocolError):
        reader.receive(SWITCHES.replace(old, new))


def test_a_switch_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(OriginProtocolError):
        ResponseReader(Limits(), "GET").receive(SWITCHES)


def sent(head: ResponseHead, framing: Framing, *, keep_alive: bool = True) -> list[str]:
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    data = response_head(head, framing=framing, via="p", date=date, keep_alive=keep_alive)
    return data.decode("latin-1").split("\r\n")


def test_a_response_as_the_client_sees_it() -> None:
    head = response(
        b"HTTP/1.0 200 Fine\r\nX: 1\r\nConnection: close, y\r\nY: 2\r\n"
        b"Proxy-Authenticate: Basic\r\n"
        b"Content-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    )
    assert sent(head, Length(3)) == [
        "HTTP/1.1 200 Fine", "X: 1", "Set-Cookie: a", "Set-Cookie: b", "Via: 1.0 p",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT", "Content-Length: 3", "", "",
    ]  # fmt: skip


def test_r60_a_date_that_is_there_stays() -> None:
    lines = sent(response(b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 0\r\n\r\n"), NO_BODY)
    assert [line for line in lines if line.startswith("Date")] == ["Date: then"]
    lines = sent(
        response(b"HTTP/1.1 204 No Content\r\nDate: then\r\nConnection: date\r\n\r\n"), NO_BODY
    )
    (date,) = [line for line in lines if line.startswith("Date")]
    assert date != "Date: then"


def test_a_head_response_keeps_the_length_of_what_was_not_sent() -> None:
    lines = sent(response(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD"), NO_BODY)
    assert "Content-Length: 7" in lines


def test_no_length_on_204_and_1xx() -> None:
    for line in (b"HTTP/1.1 204 No", b"HTTP/1.1 103 Early"):
        lines = sent(response(line + b"\r\nContent-Length: 7\r\n\r\n"), NO_BODY)
        assert not [line for line in lines if line.startswith("Content-Length")]


def test_framing_towards_the_client() -> None:
    endless = response(b"HTTP/1.1 200 OK\r\n\r\n")
    assert client_framing(endless, minor=1) is CHUNKED
    assert client_framing(endless, minor=0) is UNTIL_CLOSE
    assert "Transfer-Encoding: chunked" in sent(endless, CHUNKED)
    assert "Connection: close" in sent(endless, UNTIL_CLOSE, keep_alive=False)


def test_trailers_are_asked_for_where_the_client_takes_them() -> None:
    asked = forwarded(request("GET http://a.test/ HTTP/1.1", "TE: trailers", "Connection: TE"))
    assert "TE: trailers" in asked
    assert any(line.startswith("Connection: TE") for line in asked)
