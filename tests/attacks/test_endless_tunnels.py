"""Who opens a tunnel and keeps it, or never stops sending, meets a limit, and is on record."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from otel.events import ConnectionClosed
from tests.support.hellos import extension, hello, names
from tests.support.origins import echo, origin, read_all
from tests.support.proxies import LIMITS, Setting, proxy

QUIET = replace(LIMITS, idle_seconds=0.16)
# Far more than a machine that is busy lets pass between two bytes.
PATIENT = replace(LIMITS, idle_seconds=1.0)
SHORT = replace(LIMITS, lifetime_seconds=0.16)
SMALL = 3_000_000
TINY = 1000


def test_a_tunnel_without_a_byte_is_cut() -> None:
    with origin(echo) as echoing, proxy(Setting(limits=QUIET)) as running:
        client, _ = running.connect(f"127.0.0.1:{echoing.port}")
        with client:
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "idle"


def test_one_that_says_something_now_and_then_is_not() -> None:
    with origin(echo) as echoing, proxy(Setting(limits=PATIENT)) as running:
        client, _ = running.connect(f"127.0.0.1:{echoing.port}")
        with client:
            for _ in range(6):
                time.sleep(0.2)
                client.sendall(b".")
                assert client.recv(1) == b"."
            running.settle_after(client)
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "finished"


def test_talking_does_not_make_it_live_for_ever() -> None:
    with origin(echo) as echoing, proxy(Setting(limits=SHORT)) as running:
        client, _ = running.connect(f"127.0.0.1:{echoing.port}")
        with client, suppress(ConnectionResetError, BrokenPipeError):
            while True:
                client.sendall(b".")
                client.recv(1000)
                time.sleep(0.01)
        running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "lifetime"


def send_half(client: socket.socket) -> None:
    client.sendall(bytes(SMALL // 2))
    client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("splice_after", [0, 1 << 20])
def test_not_a_byte_more_than_the_limit_reaches_the_origin(splice_after: int) -> None:
    limits = replace(LIMITS, tunnel_bytes=SMALL, splice_after_bytes=splice_after)
    arrived = []
    with (
        origin(lambda connection: arrived.append(len(read_all(connection)))) as sink,
        proxy(Setting(limits=limits)) as running,
    ):
        client, _ = running.connect(f"127.0.0.1:{sink.port}")
        with client, suppress(ConnectionResetError, BrokenPipeError):
            while True:
                client.sendall(bytes(300_000))
        running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"
    assert closed.bytes_sent <= SMALL
    assert sum(arrived) <= SMALL  # nothing at all, where the reset overtook it


OPENING = hello(names(b"a.test"), extension(21, bytes(TINY)))


@pytest.mark.parametrize(
    ("early", "parts"),
    [
        (bytes(TINY + 1), []),
        (b"", [OPENING[at : at + TINY // 4] for at in range(0, len(OPENING), TINY // 4)]),
        (OPENING[:99], [OPENING[99 : TINY - 9], OPENING[TINY - 9 :]]),
    ],
    ids=["with the request", "in a hello that is looked at", "in both"],
)
def test_neither_does_what_comes_before_the_tunnel_moves(early: bytes, parts: list[bytes]) -> None:
    limits = replace(LIMITS, tunnel_bytes=TINY)
    arrived = []
    with (
        origin(lambda connection: arrived.append(len(read_all(connection)))) as sink,
        proxy(Setting(limits=limits)) as running,
    ):
        client, _ = running.connect(f"127.0.0.1:{sink.port}", early=early)
        with client, suppress(ConnectionResetError, BrokenPipeError):
            for part in parts:
                client.sendall(part)
            client.recv(1)
        running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "byte_limit"
    assert closed.bytes_sent <= TINY
    assert sum(arrived) <= TINY


def test_exactly_the_limit_is_no_more_than_the_limit() -> None:
    limits = replace(LIMITS, tunnel_bytes=SMALL)
    with origin(echo) as echoing, proxy(Setting(limits=limits)) as running:
        client, _ = running.connect(f"127.0.0.1:{echoing.port}")
        with client:
            threading.Thread(target=send_half, args=(client,), daemon=True).start()
            assert len(read_all(client)) == SMALL // 2
            running.settle()
    (closed,) = running.audit.of(ConnectionClosed)
    assert closed.close_reason == "finished"
    assert closed.bytes_sent + closed.bytes_received == SMALL
