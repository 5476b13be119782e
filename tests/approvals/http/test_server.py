"""Loopback only, and nobody can hold what others need."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from approvals.http.server import HttpLimits, HttpServer, OpenToOthers
from tests.support.http_site import Client, listener, read_reply, served
from tests.support.loops import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def application() -> web.Application:
    app = web.Application()
    app.router.add_get("/", hello)
    return app


def test_other_hosts_can_not_reach_it() -> None:
    for host in ("0.0.0.0", "::"):
        with listener(host) as open_to_all, pytest.raises(OpenToOthers):
            HttpServer(application(), [open_to_all])


def test_a_local_socket_and_both_loopbacks(tmp_path: Path) -> None:
    async def main() -> None:
        local = socket.socket(socket.AF_UNIX)
        local.bind(str(tmp_path / "s"))
        local.listen()
        with local, listener() as four, listener("::1") as six:
            places = [each.getsockname()[:2] for each in (four, six)]
            async with HttpServer(application(), [local, four, six]):
                for host, port in places:
                    streams = await asyncio.open_connection(host, port)
                    await hello_there(*streams)
                await hello_there(*await asyncio.open_unix_connection(str(tmp_path / "s")))

    asyncio.run(main())


async def hello_there(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await read_reply(reader)).body == b"hello"
    writer.close()


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async def main() -> None:
        async with served(application(), HttpLimits(head_seconds=0.1)) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: loc")
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await reader.read() == b""
            writer.close()

    asyncio.run(main())


def test_more_connections_than_there_is_room_for_are_hung_up_on() -> None:
    async def main() -> None:
        # Silence would be ended only much later.
        sock, limits = listener(), HttpLimits(connections=2, head_seconds=600.0)
        client = Client(sock.getsockname()[1])
        async with HttpServer(application(), [sock], limits) as server:
            held = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(2)]
            for reader, writer in held:
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await read_reply(reader)
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await reader.read() == b""
            writer.close()
            held.pop()[1].close()
            serving = server._runner.server
            assert serving is not None
            await until(lambda: len(serving.connections) < 2)
            reply = await client.raw(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            assert reply.status == 200
            held[0][1].close()

    asyncio.run(main())


def test_a_head_that_is_too_long_is_refused() -> None:
    async def main() -> None:
        async with served(application()) as client:
            long = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"
            assert (await client.raw(long)).status == 400
            many = b"".join(b"X-%d: x\r\n" % number for number in range(200))
            head = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n"
            assert (await client.raw(head)).status == 400

    asyncio.run(main())
