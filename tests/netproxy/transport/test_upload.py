"""The content of plain requests over real sockets: it streams, and is framed anew."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

import pytest

from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.transport.readiness import Readiness
from netproxy.transport.stream import Stream
from netproxy.transport.upload import Upload
from otel.events import ConnectionClosed
from tests.support.late_loops import JumpingLoop, jump
from tests.support.loops import on_a_loop
from tests.support.origins import Recorder, origin, read_all, reset
from tests.support.proxies import LIMITS, Setting, eventually, proxy, read_until

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"


def post(port: int, *fields: str, line: str = "POST {url} HTTP/1.1", body: bytes = b"") -> bytes:
    url = f"http://127.0.0.1:{port}/x"
    host = f"Host: 127.0.0.1:{port}"
    return "\r\n".join([line.format(url=url), host, *fields, "\r\n"]).encode() + body


@pytest.mark.parametrize(
    ("fields", "body", "received"),
    [
        ("Content-Length: 5", b"hello", b"hello"),
        ("Transfer-Encoding: chunked", b"2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n",
         b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ],
)  # fmt: skip
def test_request_bodies_and_the_connection_after_them(
    fields: str, body: bytes, received: bytes
) -> None:
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        for byte in post(far.port, fields, body=body):
            client.sendall(bytes([byte]))
        assert read_until(client, b"hi").endswith(b"hi")
        client.sendall(post(far.port, line="GET {url} HTTP/1.1"))
        assert read_until(client, b"hi").endswith(b"hi")
    parts = recorder.bodies[0]
    if b"chunked" in recorder.heads[0]:
        # Each chunk is made from what was there: only the content is the same.
        assert b"".join(part for part in parts.split(b"\r\n")[1::2]) == b"hello"
    else:
        assert parts == received


def test_an_upload_larger_than_every_buffer() -> None:
    size = 8 * 1024 * 1024
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        head = post(far.port, f"Content-Length: {size}", line="PUT {url} HTTP/1.1")
        client.sendall(head + bytes(size))
        assert read_until(client, b"hi").endswith(b"hi")
        near.settle_after(client)
    assert len(recorder.bodies[0]) == size
    (closed,) = near.audit.of(ConnectionClosed)
    assert closed.bytes_sent == size + len(recorder.heads[0])
    assert closed.bytes_received == len(HI)


def test_a_bad_chunk_in_an_upload_is_a_400_and_never_a_whole_request() -> None:
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near, near.http() as client:
        head = post(far.port, "Transfer-Encoding: chunked")
        client.sendall(head + b"2\r\nhi\r\nZ\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 400 ")
    assert not any(body.endswith(b"0\r\n\r\n") for body in recorder.bodies)
    assert near.audit.decisions == [("allow", "allowed_by_rule")]


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_client_that_leaves_in_its_upload(is_reset: bool) -> None:
    recorder = Recorder(HI)
    with origin(recorder) as far, proxy() as near:
        client = near.http()
        client.sendall(post(far.port, "Content-Length: 100") + b"x")
        eventually(lambda: bool(recorder.heads))
        reset(client) if is_reset else client.close()
        near.settle()
    assert [event.close_reason for event in near.audit.of(ConnectionClosed)] == ["reset"]


def test_time_limits_do_not_hold_for_bodies() -> None:
    """An upload may take longer than a head: only heads are timed."""
    setting, recorder = Setting(loop_factory=JumpingLoop), Recorder(HI)
    with origin(recorder) as far, proxy(setting) as near, near.http() as client:
        client.sendall(post(far.port, "Content-Length: 2") + b"x")
        eventually(lambda: bool(recorder.heads))
        near.call(partial(jump, 3 * LIMITS.head_seconds))
        client.sendall(b"y")
        assert read_until(client, b"hi").endswith(b"hi")


@on_a_loop
async def test_what_the_kernel_took_counts_also_of_a_piece_that_was_cut() -> None:
    """An origin that stops reading has the beginning of the piece that it was sent last."""
    readiness = Readiness(asyncio.get_running_loop(), report=print)
    (near, client), (onward, far) = socket.socketpair(), socket.socketpair()
    for each in (near, onward):
        each.setblocking(False)
    streams = [Stream(each, readiness, limit=1 << 20) for each in (near, onward)]
    head = RequestReader(LIMITS).receive(post(80, "Content-Length: 2000000"))
    assert isinstance(head, RequestHead)
    upload = Upload(streams[0], head, streams[1], LIMITS)
    streams[0].unread = bytes(1 << 20)
    running = asyncio.create_task(upload.run())
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    for stream in streams:
        stream.close()
    assert 0 < streams[1].sent == len(read_all(far)) < 1 << 20
    far.close()
    client.close()
    readiness.close()
