"""Plain HTTP over real sockets: both bodies stream, framing is made anew."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import pytest

from otel.events import ConnectionClosed, PolicyDecision
from tests.support.origins import (
    PATIENCE_SECONDS,
    Keeper,
    Recorder,
    origin,
    read_all,
    read_head,
)
from tests.support.proxies import LIMITS, Setting, eventually, proxy, read_until

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"


def get(port: int, *fields: str, line: str = "GET {url} HTTP/1.1", body: bytes = b"") -> bytes:
    url = f"http://127.0.0.1:{port}/x"
    host = f"Host: 127.0.0.1:{port}"
    return "\r\n".join([line.format(url=url), host, *fields, "\r\n"]).encode() + body


def test_several_requests_on_one_connection() -> None:
    # One that closes without a word may do so when the next request is sent: then that goes twice.
    keeper = Keeper(lambda _: HI)
    with origin(keeper) as far, proxy() as near, near.http() as client:
        for _ in range(3):
            client.sendall(get(far.port))
            assert read_until(client, b"hi").endswith(b"\r\n\r\nhi")
    assert len(keeper.heads) == 3
    assert {event.status for event in near.audit.of(ConnectionClosed)} == {200}
    assert len({event.connection_id for event in near.audit.of(PolicyDecision)}) == 3


def test_pipelined_requests_are_answered_in_order() -> None:
    def named(connection: socket.socket) -> None:
        head, _ = read_head(connection)
        path = head.split()[1]
        time.sleep(0.02 if path == b"/1" else 0)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)

    with origin(named) as far, proxy() as near, near.http() as client:
        requests = [get(far.port).replace(b"/x", b"/%d" % n) for n in range(3)]
        requests.append(get(far.port, "Connection: close").replace(b"/x", b"/3"))
        client.sendall(b"".join(requests))
        answered = read_all(client)
    assert [part[-2:] for part in answered.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"/0", b"/1", b"/2", b"/3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("response", "seen", "stays_open"),
    [
        pytest.param(HI, b"hi", True, id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nT: 1\r\n\r\n",
            b"2\r\nhi\r\n0\r\n\r\n", True, id="chunked",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nhi", b"2\r\nhi\r\n0\r\n\r\n", True, id="until-close"),
        pytest.param(b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nhi", b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\nhi", b"", True, id="304"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhi", b"", True, id="excess"),
    ],
)  # fmt: skip
def test_response_framing(response: bytes, seen: bytes, stays_open: bool) -> None:
    with origin(Recorder(response)) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port))
        head = read_until(client, b"\r\n\r\n" + seen)
        assert head.endswith(b"\r\n\r\n" + seen)
        assert (b"Connection: close" in head) is not stays_open
        client.sendall(get(far.port, "Connection: close"))
        assert read_all(client).startswith(b"HTTP/1.1 ")


def test_a_1_0_client_gets_neither_chunks_nor_interim_answers() -> None:
    response = (
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\n\r\n"
    )
    with origin(Recorder(response)) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, line="GET {url} HTTP/1.0"))
        answered = read_all(client)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert answered.endswith(b"\r\n\r\nhi")
    assert b"hunked" not in answered


def test_head_has_no_body_and_the_connection_goes_on() -> None:
    with origin(Recorder(HI)) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, line="HEAD {url} HTTP/1.1"))
        head = read_until(client, b"\r\n\r\n")
        assert b"Content-Length: 2\r\n" in head
        assert head.endswith(b"\r\n\r\n")
        client.sendall(get(far.port))
        assert read_until(client, b"hi").endswith(b"hi")


def test_r55_expect_is_answered_by_the_origin() -> None:
    def patient(connection: socket.socket) -> None:
        head, body = read_head(connection)
        assert b"Expect: 100-continue" in head
        assert body == b""
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.recv(5) == b"hello"
        connection.sendall(HI)

    with origin(patient) as far, proxy() as near, near.http() as client:
        fields = ("Expect: 100-continue", "Content-Length: 5")
        client.sendall(get(far.port, *fields, line="POST {url} HTTP/1.1"))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 100 Continue\r\n")
        client.sendall(b"hello")
        assert read_until(client, b"hi").endswith(b"hi")


CHUNKS = b"2\r\nhi\r\n0\r\n%b\r\n"
TRAILED = (
    b"HTTP/1.1 200 OK\r\nDate: then\r\nTrailer: X-Sum, Set-Cookie\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
) + CHUNKS % b"X-Sum: 7\r\nSet-Cookie: a=b\r\nX-Unsaid: 1\r\n"


@pytest.mark.parametrize(
    ("fields", "announced", "trailers"),
    [
        (("TE: trailers", "Connection: TE"), b"\r\nTrailer: x-sum\r\n", b"X-Sum: 7\r\n"),
        (("TE: trailers",), b"\r\n\r\n", b""),
        ((), b"\r\n\r\n", b""),
    ],
    ids=["wanted", "for-somebody-else", "not-wanted"],
)
def test_trailers_reach_a_client_that_wants_them(
    fields: tuple[str, ...], announced: bytes, trailers: bytes
) -> None:
    """Those that were announced and are harmless after the content (RFC 9110 section 6.5.1)."""
    recorder = Recorder(TRAILED)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, *fields))
        head, _, body = read_until(client, CHUNKS % trailers).partition(b"\r\n\r\n")
    assert body == CHUNKS % trailers
    assert announced in head + b"\r\n\r\n"
    assert (b"\r\nTE: trailers\r\nConnection: TE\r\n" in recorder.heads[0]) == bool(trailers)


def test_trailers_of_a_request_reach_the_origin() -> None:
    recorder = Recorder(HI)
    body = CHUNKS % b"X-Sum: 7\r\nCookie: a\r\nX-Unsaid: 1\r\n"
    fields = ("Transfer-Encoding: chunked", "Trailer: X-Sum, Cookie")
    line = "POST {url} HTTP/1.1"

    def reads(connection: socket.socket) -> None:
        head, rest = read_head(connection)
        while not rest.endswith(b"\r\n\r\n"):
            rest += connection.recv(65536)
        recorder.heads.append(head)
        recorder.bodies.append(rest)
        connection.sendall(HI)

    with origin(reads) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, *fields, line=line, body=body))
        assert read_until(client, b"hi").endswith(b"hi")
    assert b"\r\nTrailer: x-sum\r\n" in recorder.heads[0]
    assert recorder.bodies == [CHUNKS % b"X-Sum: 7\r\n"]


@pytest.mark.parametrize("minor", [0, 1])
def test_a_client_that_waits_for_a_100_is_not_held_by_an_origin_that_sends_none(minor: int) -> None:
    """RFC 9110 section 10.1.1: no server of HTTP/1.0 sends one, and this client waits for ever."""

    def waits_for_content(connection: socket.socket) -> None:
        _, body = read_head(connection)
        while len(body) < 5:
            body += connection.recv(5)
        connection.sendall(HI.replace(b"1.1", b"1.%d" % minor))

    limits = replace(LIMITS, continue_seconds=0.05)
    fields = ("Expect: 100-continue", "Content-Length: 5", "Connection: close")
    with (
        origin(waits_for_content) as far,
        proxy(Setting(limits=limits)) as near,
        near.http() as client,
    ):
        client.sendall(get(far.port, *fields, line="POST {url} HTTP/1.1"))
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert read_all(client).endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize(
    ("line", "fields", "body"),
    [
        ("POST {url} HTTP/1.1", ("Expect: 100-continue", "Content-Length: 5"), b"hello"),
        ("POST {url} HTTP/1.1", ("Content-Length: 5",), b"hel"),
        ("POST {url} HTTP/1.0", ("Expect: 100-continue", "Content-Length: 5"), b""),
        ("GET {url} HTTP/1.1", ("Expect: 100-continue",), b""),
    ],
    ids=["sent-already", "asks-for-none", "1.0", "no-content"],
)
def test_nobody_else_gets_a_100_from_us(line: str, fields: tuple[str, ...], body: bytes) -> None:
    def slow(connection: socket.socket) -> None:
        read_head(connection)
        time.sleep(0.1)
        connection.sendall(HI)

    limits = replace(LIMITS, continue_seconds=0.02)
    with origin(slow) as far, proxy(Setting(limits=limits)) as near, near.http() as client:
        client.sendall(get(far.port, *fields, line=line, body=body))
        assert read_until(client, b"hi").startswith(b"HTTP/1.1 200 ")


def test_an_origin_that_answers_before_the_upload_is_over() -> None:
    """The answer arrives, and the connection ends: its next request would be in the old body."""

    def refuses(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")

    with origin(refuses) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, "Content-Length: 1000000", line="POST {url} HTTP/1.1"))
        client.sendall(b"x" * 1000)
        answered = read_all(client)
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answered


@pytest.mark.parametrize(
    ("line", "fields"),
    [("POST {url} HTTP/1.1", ()), ("POST {url} HTTP/1.1", ("Connection: close",)),
     ("POST {url} HTTP/1.0", ())],
    ids=["kept", "close", "1.0"],
)  # fmt: skip
def test_a_client_that_goes_on_sending_after_the_answer_is_not_reset(
    line: str, fields: tuple[str, ...]
) -> None:
    """RFC 9112 section 9.6: a reset may take along the answer that it has not read yet."""

    def refuses(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")

    with origin(refuses) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, "Content-Length: 1000000", *fields, line=line))
        eventually(lambda: bool(near.audit.of(ConnectionClosed)))
        for _ in range(20):
            client.sendall(b"x" * 1000)
            time.sleep(0.005)
        assert read_all(client).endswith(b"\r\n\r\nno")


@pytest.mark.parametrize(
    ("is_express", "says_close"), [(False, True), (False, False), (True, False)]
)
def test_what_comes_behind_the_last_request_takes_no_answer_along(
    is_express: bool, says_close: bool
) -> None:
    """The last by its own word, or because the gateway retires; the answer is still on its way."""
    size = 3_000_000
    may_answer = threading.Event()

    def big(_: bytes) -> bytes:
        assert may_answer.wait(PATIENCE_SECONDS)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)

    keeper = Keeper(lambda head: HI if b"/first" in head else big(head))
    patient = Setting(limits=replace(LIMITS, linger_seconds=PATIENCE_SECONDS))
    with origin(keeper) as far, proxy(patient) as near, near.http() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        if is_express:
            client.sendall(get(far.port).replace(b"/x", b"/first"))
            read_until(client, b"hi")
        client.sendall(get(far.port, *["Connection: close"] * says_close))
        eventually(lambda: len(keeper.heads) == 1 + is_express)
        client.sendall(get(far.port))  # nobody reads this
        if not says_close:
            near.call(near.server.retire)
        may_answer.set()
        eventually(lambda: bool(near.audit.of(ConnectionClosed)[is_express:]))
        assert len(read_all(client).partition(b"\r\n\r\n")[2]) == size


def test_a_slow_client_is_not_reset_for_being_slow() -> None:
    """It has all of the answer but what the kernel still has to deliver, and sends nothing."""
    size = 3_000_000

    def answers_early(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: %d\r\n\r\n" % size)
        connection.sendall(bytes(size))

    limits = replace(LIMITS, linger_seconds=0.1)
    with origin(answers_early) as far, proxy(Setting(limits=limits)) as near, near.http() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        client.sendall(get(far.port, "Content-Length: 9", line="POST {url} HTTP/1.1"))
        near.settle()
        assert len(read_all(client).partition(b"\r\n\r\n")[2]) == size


@pytest.mark.parametrize(
    ("response", "status", "error"),
    [
        (b"", 502, b"connection_terminated"),
        (b"SSH-2.0-x\r\n", 502, b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 502, b"http_"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", 502, b"http_protocol_error"),
        (b"HTTP/1.1 103 Early\r\n\r\n" * 40, 502, b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, 502, b"http_protocol_error"),
    ],
)  # fmt: skip
def test_an_origin_that_does_not_answer_properly(
    response: bytes, status: int, error: bytes
) -> None:
    with origin(Recorder(response)) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port, "Connection: close"))
        answered = read_all(client)
    final = answered.split(b"HTTP/1.1 ")[-1]
    assert final.startswith(b"%d " % status)
    assert b"error=" + error in final
    assert near.audit.decisions == [("allow", "allowed_by_rule")]
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["reset"]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nX",
    ],
)
def test_a_response_that_is_cut_looks_cut(response: bytes) -> None:
    with origin(Recorder(response)) as far, proxy() as near, near.http() as client:
        client.sendall(get(far.port))
        answered = read_all(client)
    assert b"hi" in answered
    assert not answered.endswith(b"0\r\n\r\n")
    assert answered.count(b"HTTP/1.1 ") == 1


def test_a_slow_client_holds_the_origin_back() -> None:
    """What the client does not read stays at the origin, not in the gateway."""
    sent = 0
    size = 64 * 1024 * 1024
    stop = threading.Event()

    def pours(connection: socket.socket) -> None:
        nonlocal sent
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        connection.settimeout(0.15)
        try:
            while sent < size and not stop.is_set():
                sent += connection.send(bytes(65536))
        except OSError:
            return

    with origin(pours) as far, proxy() as near, near.http() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(get(far.port))
        time.sleep(0.2)
        assert sent < size // 2
        stop.set()
