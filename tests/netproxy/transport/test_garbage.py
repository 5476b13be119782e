"""What is over is gone by itself: a look for garbage stops everybody, for 0.1 s with 10,000."""

from __future__ import annotations

import gc
import socket
from typing import TYPE_CHECKING

import pytest

from netproxy.model import CloseReason
from tests.support.origins import Keeper, echo, origin, read_all
from tests.support.proxies import eventually, proxy, read_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.proxies import Proxy

HI = b"HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\n\r\nhi"
TIMES = 20


def tunnel(near: Proxy, port: int) -> None:
    with near.http() as client:
        where = b"127.0.0.1:%d" % port
        client.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (where, where))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def cut_tunnel(near: Proxy, port: int) -> None:
    with near.http() as client:
        where = b"127.0.0.1:%d" % port
        client.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (where, where))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        near.call(lambda: near.server.close_all(CloseReason.RUN_CANCELLED))


def socks(near: Proxy, port: int) -> None:
    with near.socks() as client:
        client.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2))
        assert client.recv(2) == b"\x05\x00"
        assert client.recv(10)[:2] == b"\x05\x00"
        client.sendall(b"x")
        assert client.recv(1) == b"x"


def stalled(near: Proxy, _port: int) -> None:
    with near.socks() as client:
        client.sendall(b"\x05\x01\x00")
        assert client.recv(2) == b"\x05\x00"


def plain(near: Proxy, port: int) -> None:
    with near.http() as client:
        where = b"127.0.0.1:%d" % port
        for _ in range(2):
            client.sendall(b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n\r\n" % (where, where))
            assert read_until(client, b"hi").startswith(b"HTTP/1.1 200 ")


def is_at_rest(near: Proxy) -> bool:
    return [each.task for each in near.server.connections] == [None]


def cut_at_rest(near: Proxy, port: int) -> None:
    with near.http() as client:
        where = b"127.0.0.1:%d" % port
        client.sendall(b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n\r\n" % (where, where))
        assert read_until(client, b"hi").startswith(b"HTTP/1.1 200 ")
        eventually(lambda: near.call(lambda: is_at_rest(near)))
        near.call(lambda: near.server.close_all(CloseReason.RUN_CANCELLED))
        assert read_all(client) == b""


def refused(near: Proxy, _port: int) -> None:
    with near.http() as client:
        client.sendall(b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "client", [tunnel, cut_tunnel, socks, stalled, plain, cut_at_rest, refused]
)
def test_a_connection_that_is_over_leaves_nothing_to_collect(
    client: Callable[[Proxy, int], None],
) -> None:
    with (
        origin(Keeper(lambda _: HI) if client in {plain, cut_at_rest} else echo) as far,
        proxy() as near,
    ):
        client(near, far.port)  # what is made once is not counted
        near.settle()
        gc.collect()
        gc.disable()
        try:
            for _ in range(TIMES):
                client(near, far.port)
            near.settle()
            found = near.call(gc.collect)
        finally:
            gc.enable()
    assert found < TIMES
