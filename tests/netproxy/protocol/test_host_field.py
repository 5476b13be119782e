"""The host of a plain request, in whatever pieces it comes, and what is none."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from io import BufferedReader, BytesIO
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.protocol.buffer import NEED_DATA
from netproxy.protocol.host_field import NOT_HTTP, Asked, HostReader, Outcome, may_begin

LIMIT = 4096
SOUND = b"GET /path HTTP/1.1\r\nAccept: */*\r\nHost: a.test:8080\r\n\r\nrest"


def read(data: bytes, *, limit: int = LIMIT) -> Outcome:
    return HostReader(limit=limit).receive(data)


@pytest.mark.parametrize(
    ("head", "hosts"),
    [
        (SOUND, (b"a.test:8080",)),
        (b"\r\n\nGET / HTTP/1.1\nhost:a.test\n\n", (b"a.test",)),
        (b"GET  /\tHTTP/1.1 \r\nHOST \t: a.test\t\r\n\r\n", (b"a.test",)),
        (b"GET\x0b/ HTTP/1.1\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b"GET /\rHTTP/1.1\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b" GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b" \n\x0cGET / HTTP/1.1\x0b\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b"GET\xa0/\x85HTTP/1.1\x1c\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b"GET /a b HTTP/1.1 \r\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b"GET \x0bhttp://b.test\x0b HTTP/1.1\r\n\r\n", (b"b.test",)),
        (b"GET / HTTP/1.1\r\n \r\n\r\r\nHost: b.test\r\n\r\n", (b"b.test",)),
        (b"GET / HTTP/1.1\r\nX: y\rHost: b.test\r\n\r\n", (b"b.test",)),
        (b"REPORT / http/1.1\r\nHost: a.test\r\n\r\n", (b"a.test",)),
        (b"GET HTTP://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", (b"b.test", b"a.test")),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", (b"a.test", b"b.test")),
        (b"GET / HTTP/1.0\r\n\r\n", ()),
        (b"GET / HTTP/1.1\r\nno field\r\n\r\nHost: b.test\r\n", ()),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ()),
    ],
)
def test_a_request(head: bytes, hosts: tuple[bytes, ...]) -> None:
    assert read(head) == Asked(hosts, is_whole=True)
    reader = HostReader(limit=LIMIT)
    outcomes = [reader.receive(head[at : at + 1]) for at in range(len(head))]
    assert next(each for each in outcomes if each is not NEED_DATA) == read(head)


@pytest.mark.parametrize(
    "said",
    [
        b"EHLO example.org\r\n",
        b"USER anonymous\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"GET key\r\n",
        b"GET /\r\n",  # HTTP/0.9 has no fields
        b"AMQP\0\0\x09\x01",
        b"l\0",
        b"x",
        b"GETS",
        b"get / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET /\0",
        b"GE\r",
        b" x",
        b"GET " + b"a" * 20_000,
    ],
)
def test_what_is_none_is_not_waited_for(said: bytes) -> None:
    assert read(said, limit=65536) is NOT_HTTP


@pytest.mark.parametrize(
    "said",
    [
        b"G",
        b"GET",
        b"GET ",
        b"\x0b",
        b" GE",
        b"GET\r",
        b"GET /\rH",
        b"\r\nGET / HTTP/1.1\r",
        b"GET / HTTP/1.1\r\nHo",
    ],
)
def test_what_may_become_one_is(said: bytes) -> None:
    assert read(said) is NEED_DATA


@pytest.mark.parametrize("is_ended", [False, True])
def test_who_gives_up_says_what_was_read(is_ended: bool) -> None:
    reader = HostReader(limit=LIMIT)
    assert reader.give_up(is_ended=is_ended) is NOT_HTTP
    reader.receive(b"GET / HTTP/1.1\r\n")
    assert reader.give_up(is_ended=is_ended) == Asked((), is_whole=False, is_ended=is_ended)
    reader.receive(b"Host: a.test\r\nHost: half")
    assert reader.give_up(is_ended=is_ended) == Asked((b"a.test",), False, is_ended)
    assert bytes(reader.held) == b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: half"


def test_none_is_called_by_its_name() -> None:
    assert repr(NOT_HTTP) == "NOT_HTTP"


def test_past_the_limit_nothing_is_read() -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", limit=20) == Asked((), is_whole=False)
    assert read(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", limit=8) is NOT_HTTP


def test_where_one_may_begin() -> None:
    assert all(may_begin(each) for each in b"GHPDCOT\r\n \t\x0b\x0c")
    assert not any(may_begin(each) for each in b"\x00\x16\x050@\xc0\xff*xg")


def http_server_saw(head: bytes) -> str | None:
    """The host that Python's own server was asked for."""
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            self.rfile, self.wfile = BufferedReader(BytesIO(head)), BytesIO()

        def finish(self) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.headers["Host"])

    Handler(cast("Any", None), ("192.0.2.1", 1), cast("Any", None))
    return seen[0] if seen else None


spaces = st.text(st.sampled_from(" \t\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0"), min_size=1, max_size=3)


@given(
    spaces, spaces, spaces, spaces, st.sampled_from(["", "\x0b\r\n", " \r\n", "\r\r\n", "X: y\r"])
)
def test_what_pythons_own_server_takes_is_a_request(
    before: str, between: str, also: str, after: str, fields: str
) -> None:
    line = f"{before}GET{between}/{also}HTTP/1.1{after}\r\n"
    head = f"{line}{fields}Host: b.test\r\n\r\n".encode("latin-1")
    if http_server_saw(head) is not None:
        assert read(head) == Asked((b"b.test",), is_whole=True)


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=10))
def test_where_it_is_split_changes_nothing(data: bytes, sizes: list[int]) -> None:
    whole, reader = read(data), HostReader(limit=LIMIT)
    outcome: Outcome = NEED_DATA
    for size in [*sizes, len(data)]:
        outcome = reader.receive(data[:size])
        data = data[size:]
        if outcome is not NEED_DATA:
            break
    assert outcome == whole


hosts = st.text(st.sampled_from("abc.:0-"), min_size=1, max_size=20).map(str.encode)


@given(st.lists(hosts, max_size=3))
def test_every_host_is_seen(named: list[bytes]) -> None:
    fields = b"".join(b"Host: %b\r\n" % each for each in named)
    assert read(b"POST / HTTP/1.1\r\n" + fields + b"\r\n") == Asked(tuple(named), is_whole=True)
