"""What a tunnel that goes through pipes meets: no pipes, resets, half-closes, slow readers."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel.events import ConnectionClosed
from tests.support.origins import origin, read_all, reset
from tests.support.proxies import LIMITS, Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

UP, DOWN = 3_000_001, 4_000_003
SPLICED = replace(LIMITS, splice_after_bytes=64 * 1024)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def take_all_then_answer(connection: socket.socket) -> None:
    assert len(read_all(connection)) == UP
    connection.sendall(bytes(DOWN))


def send_up(client: socket.socket) -> None:
    client.sendall(bytes(UP))
    client.shutdown(socket.SHUT_WR)


def test_without_a_descriptor_for_a_pipe_bytes_are_copied() -> None:
    with origin(take_all_then_answer) as listening, proxy(Setting(limits=SPLICED)) as running:
        client, _ = running.connect(f"127.0.0.1:{listening.port}")
        with client:
            with no_descriptor_left():
                threading.Thread(target=send_up, args=(client,), daemon=True).start()
                assert len(read_all(client)) == DOWN
            running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert (closed.bytes_sent, closed.bytes_received) == (UP, DOWN)


@pytest.mark.parametrize("slow", ["client", "origin"])
def test_a_slow_reader_and_a_half_close_lose_no_byte_and_no_count(slow: str) -> None:
    def read(connection: socket.socket, *, slowly: bool) -> int:
        count = 0
        while data := connection.recv(256 * 1024):
            count += len(data)
            time.sleep(0.002 * slowly)
        return count

    def serve(connection: socket.socket) -> None:
        taken.append(read(connection, slowly=slow == "origin"))
        connection.sendall(bytes(DOWN))

    taken: list[int] = []
    with origin(serve) as listening, proxy(Setting(limits=SPLICED)) as running:
        client, _ = running.connect(f"127.0.0.1:{listening.port}")
        with client:
            threading.Thread(target=send_up, args=(client,), daemon=True).start()
            assert read(client, slowly=slow == "client") == DOWN
            running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert taken == [UP]
    assert (closed.bytes_sent, closed.bytes_received) == (UP, DOWN)
    assert closed.close_reason == "finished"


def test_an_origin_that_resets_in_the_middle_resets_the_client() -> None:
    def serve(connection: socket.socket) -> None:
        left = 1_000_000
        while left > 0:
            left -= len(connection.recv(65536))
        reset(connection)

    with origin(serve) as listening, proxy(Setting(limits=SPLICED)) as running:
        client, _ = running.connect(f"127.0.0.1:{listening.port}")
        sent = 0
        with client, suppress(ConnectionResetError, BrokenPipeError):
            while True:
                sent += client.send(bytes(100_000))
        running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "reset"
    assert 1_000_000 <= closed.bytes_sent <= sent
