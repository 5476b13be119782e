"""A collector takes no more of our time and memory than it was given."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import requests

from otel.bounded_session import BoundedSession

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def endless(begin: bytes, piece: bytes, pause_seconds: float) -> Iterator[str]:
    """A server that goes on with its answer until its client hangs up."""
    stop = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(begin)
            while not stop.wait(pause_seconds):
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/metrics"
        stop.set()
        thread.join()


def test_of_an_answer_without_an_end_the_beginning_is_read() -> None:
    session = BoundedSession(seconds=5.0, answer_bytes=1000)
    with endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1000, 0.0) as url:
        answer = session.post(url, data=b"x", timeout=5.0)
    assert (answer.status_code, answer.content) == (200, b"x" * 1000)


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_comes_byte_by_byte_ends_in_time(begin: bytes) -> None:
    session = BoundedSession(seconds=0.2, answer_bytes=1000)
    with endless(begin, b"x", 0.01) as url, pytest.raises(requests.Timeout):
        session.post(url, data=b"x", timeout=5.0)


def test_what_fails_otherwise_fails_as_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(requests.ConnectionError):
        BoundedSession(seconds=5.0, answer_bytes=1000).post(f"http://127.0.0.1:{port}/")
