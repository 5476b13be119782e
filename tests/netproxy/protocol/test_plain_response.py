"""What the plain reader takes, the other one takes, and means and writes the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.config import Limits
from netproxy.protocol.fields import CHUNKED, HOP_BY_HOP, Length
from netproxy.protocol.http1_forward import ResponseHead, ResponseReader, response_head
from netproxy.protocol.plain_response import PlainResponse, read_plain
from tests.support import http_messages
from tests.support.http_messages import amiss

LIMITS = Limits()
VIA = "netproxy-0"
DATE = "Date: Thu, 01 Jan 2026 00:00:00 GMT"
USUAL = "HTTP/1.1 200 OK"

# As these servers write them.
SERVERS = {
    "nginx": (
        "Server: nginx/1.22.1", DATE, "Content-Type: text/html; charset=utf-8",
        "Content-Length: 2", "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT",
        "Connection: keep-alive", 'ETag: "65923b80-2"', "Accept-Ranges: bytes",
    ),
    "apache": (
        DATE, "Server: Apache/2.4.62 (Debian)", "Vary: Accept-Encoding", "Content-Length: 2",
        "Keep-Alive: timeout=5, max=100", "Connection: Keep-Alive", "Content-Type: text/plain",
    ),
    "node": (
        "X-Powered-By: Express", "Content-Type: text/plain", "Content-Length: 2", DATE,
        "Connection: keep-alive", "Keep-Alive: timeout=5",
    ),
    "gunicorn": (
        "Server: gunicorn", DATE, "Connection: keep-alive", "Content-Type: text/plain",
        "Content-Length: 2",
    ),
    "uvicorn": (DATE.replace("D", "d"), "server: uvicorn", "content-length: 2"),
    "chunks": ("Server: nginx", DATE, "Transfer-Encoding: chunked", "Connection: keep-alive"),
    "without-date": ("Content-Length: 2", "X-Bytes: \xe4\xff"),
}  # fmt: skip
# Of which the other reader takes some, and means something by it.
OTHERS = {
    "until-close": (DATE,),
    "two-framings": ("Content-Length: 2", "Transfer-Encoding: chunked"),
    "no-content": (DATE, "Content-Length: 0"),
    "two-lengths": ("Content-Length: 2", "Content-Length: 2"),
    "long-length": (f"Content-Length: {10**18}",),
    "coding": ("Transfer-Encoding: gzip",),
    "close": ("Connection: close", "Content-Length: 2"),
    "named": ("Connection: X-Hop", "X-Hop: 1", "Content-Length: 2"),
    "both-named": ("Connection: keep-alive, X-Hop", "X-Hop: 1", "Content-Length: 2"),
    "trailer": ("Trailer: X-Sum", "Transfer-Encoding: chunked"),
    "upgrade": ("Upgrade: h2c", "Content-Length: 2"),
    "our-name": ("Proxy-Status: netproxy; error=x", "Content-Length: 2"),
    "our-error": ("x-proxy-Error: y", "Content-Length: 2"),
    "secret": ("Proxy-Authenticate: Basic", "Content-Length: 2"),
    "date-in-capitals": ("DATE: x", "Content-Length: 2"),
    "no-space": ("X:a", "Content-Length: 2"),
    "two-spaces": ("X:  a", "Content-Length: 2"),
    "space-after": ("X: a ", "Content-Length: 2"),
    "space-before-colon": ("X : a", "Content-Length: 2"),
    "empty": ("X: ", "Content-Length: 2"),
    "folded": ("X: a", " b", "Content-Length: 2"),
    "bare-lf": ("X: a\nY: b", "Content-Length: 2"),
    "bare-cr": ("X: a\rY: b", "Content-Length: 2"),
    "nul": ("X: a\0", "Content-Length: 2"),
    "no-name": (": a", "Content-Length: 2"),
}


def head_of(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def other(data: bytes, method: str = "GET") -> tuple[ResponseHead, bytes]:
    """Raises where that reader refuses."""
    reader = ResponseReader(LIMITS, method)
    head = reader.receive(data)
    assert isinstance(head, ResponseHead)
    return head, reader.unread


def check(data: bytes) -> PlainResponse | None:
    plain = read_plain(data, LIMITS)
    if plain is None:
        return None
    head, unread = other(data)
    assert (plain.status, plain.framing) == (head.status, head.framing)
    assert data[plain.end :] == unread
    assert head.persists
    assert head.is_final
    assert plain.has_date == (b"date" in head.index)
    assert plain.rendered(via=VIA, date="now") == response_head(
        replace(head, trailers=frozenset()),
        framing=head.framing,
        via=VIA,
        date="now",
        keep_alive=True,
    )
    return plain


@pytest.mark.parametrize("fields", SERVERS.values(), ids=SERVERS)
def test_what_servers_write_is_plain(fields: tuple[str, ...]) -> None:
    plain = check(head_of(USUAL, *fields) + b"hi")
    assert plain is not None
    assert plain.framing == (CHUNKED if "Transfer-Encoding: chunked" in fields else Length(2))


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
def test_what_has_to_be_looked_into_is_not(fields: tuple[str, ...]) -> None:
    assert read_plain(head_of(USUAL, *fields) + b"hi", LIMITS) is None


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - {b"transfer-encoding"}))
def test_nothing_that_goes_no_further_is_passed_on(name: bytes) -> None:
    for spelled in (name, name.title(), name.upper()):
        line = spelled.decode() + ": x"
        plain = check(head_of(USUAL, line, "Content-Length: 2"))
        # Keep-Alive says nothing of the message.
        assert (plain is None) == (spelled.title() != b"Keep-Alive" or spelled.isupper())
        assert plain is None or spelled not in plain.lines


@pytest.mark.parametrize(
    "line",
    [
        "HTTP/1.0 200 OK", "HTTP/1.2 200 OK", "HTTP/1.1 101 Switching Protocols",
        "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 100 Continue",
        "HTTP/1.1 099 X", "HTTP/1.1 200", "HTTP/1.1  200 OK", "HTTP/1.1 200 O\0K", "ICY 200 OK",
    ],
)  # fmt: skip
def test_other_first_lines_are_not_plain(line: str) -> None:
    assert read_plain(head_of(line, "Content-Length: 2"), LIMITS) is None


@given(st.integers(0, len(head_of(USUAL, *SERVERS["nginx"])) - 1))
def test_a_part_of_a_head_is_none(length: int) -> None:
    assert read_plain(head_of(USUAL, *SERVERS["nginx"])[:length], LIMITS) is None


@given(amiss(http_messages.responses()))
def test_it_is_never_laxer_and_never_means_something_else(data: bytes) -> None:
    check(data)


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    rows = [line for fields in (*SERVERS.values(), *OTHERS.values()) for line in fields]
    fields = draw(st.lists(st.sampled_from(rows), max_size=8))
    return head_of(USUAL, *fields) + draw(st.sampled_from([b"", b"hi", b"2\r\nhi\r\n0\r\n\r\n"]))


@given(amiss(nearly_plain()))
def test_nor_where_most_heads_are_plain(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize(
    ("limits", "is_within"),
    [
        pytest.param(replace(LIMITS, head_bytes=35 + len(USUAL)), True, id="head"),
        pytest.param(replace(LIMITS, head_bytes=34 + len(USUAL)), False, id="head-over"),
        pytest.param(replace(LIMITS, header_count=3), True, id="count"),
        pytest.param(replace(LIMITS, header_count=2), False, id="count-over"),
        pytest.param(replace(LIMITS, target_bytes=len(USUAL) + 1), False, id="line"),
    ],
)
def test_limits_hold(limits: Limits, *, is_within: bool) -> None:
    data = head_of(USUAL, "A: 1", "B: 2", "Content-Length: 2")
    assert len(data) == 35 + len(USUAL)
    assert (read_plain(data, limits) is not None) == is_within
