"""Health is told to whoever asks by address, and nothing else is told to anybody."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.health import Health, answer

HERE = b"Host: 127.0.0.1:3129\r\n"


def request(line: bytes, fields: bytes = HERE) -> bytes:
    return line + b"\r\n" + fields + b"\r\n"


def status(head: bytes, *, is_draining: bool = False) -> int:
    return int(answer(head, is_draining=is_draining).split()[1])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"GET /health HTTP/1.1", 200),
        (b"HEAD /health HTTP/1.1", 200),
        (b"GET / HTTP/1.1", 404),
        (b"GET /health/ HTTP/1.1", 404),
        (b"GET /health?x HTTP/1.1", 404),
        (b"GET http://a.test/ HTTP/1.1", 404),
        (b"CONNECT a.test:443 HTTP/1.1", 404),
        (b"POST /health HTTP/1.1", 405),
        (b"GET /health HTTP/2.0", 400),
        (b"GET  /health HTTP/1.1", 400),
        (b"get /health HTTP/1.1", 400),
        (b"", 400),
        (b"\x05\x01\x00", 400),
    ],
)
def test_one_target(line: bytes, code: int) -> None:
    assert status(request(line)) == code


def test_while_draining_it_is_a_503() -> None:
    assert answer(request(b"GET /health HTTP/1.1"), is_draining=True).endswith(
        b"\r\n\r\ndraining\n"
    )
    assert status(request(b"GET /health HTTP/1.1"), is_draining=True) == 503


def test_what_comes_with_it() -> None:
    head, _, body = answer(request(b"GET /health HTTP/1.1"), is_draining=False).partition(
        b"\r\n\r\n"
    )
    assert body == b"ok\n"
    for line in (
        b"Content-Length: 3",
        b"Cache-Control: no-store",
        b"Cross-Origin-Resource-Policy: same-origin",
        b"Connection: close",
    ):
        assert line in head.split(b"\r\n")
    assert b"Access-Control" not in head
    assert b"\r\nAllow: GET, HEAD\r\n" in answer(
        request(b"PUT /health HTTP/1.1"), is_draining=False
    )
    assert answer(request(b"HEAD /health HTTP/1.1"), is_draining=False).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (b"Host: 127.0.0.1\r\n", 200),
        (b"hOsT:\t[::1]:3129 \r\n", 200),
        (b"Host: localhost:3129\r\n", 200),
        (b"Host: 10.0.0.7:3129\r\n", 200),
        (b"Host: attacker.test:3129\r\n", 421),
        (b"Host: 127.0.0.1.attacker.test\r\n", 421),
        (b"Host: localhost.attacker.test\r\n", 421),
        (b"Host: 127.0.0.1@attacker.test\r\n", 421),
        (b"Host: \r\n", 421),
        (b"Host: [attacker]\r\n", 421),
        (b"Host: 127.1\r\n", 421),
        (b"Host: 127.0.0.1\r\nHost: attacker.test\r\n", 400),
        (b"", 400),
    ],
)
def test_a_name_that_somebody_can_point_here_is_told_nothing(fields: bytes, code: int) -> None:
    """A page of attacker.test, rebound to this host, still says whose page it is."""
    for is_draining in (False, True):
        found = status(request(b"GET /health HTTP/1.1", fields), is_draining=is_draining)
        assert found == (503 if is_draining and code == 200 else code)


def test_an_old_client_has_no_host() -> None:
    assert status(request(b"GET /health HTTP/1.0", b"")) == 200


@given(st.binary(max_size=200))
def test_whatever_comes_is_answered(data: bytes) -> None:
    assert answer(data + b"\r\n\r\n", is_draining=False).startswith(b"HTTP/1.1 ")


def test_over_a_socket() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    async def asked(*parts: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*where)
        for part in parts:
            writer.write(part)
            await writer.drain()
        data = b""
        with suppress(ConnectionResetError):
            data = await reader.read()
        writer.close()
        return data

    async def story() -> list[bytes]:
        async with Health(listener) as health:
            whole = request(b"GET /health HTTP/1.1")
            answers = [await asked(whole), await asked(whole[:9], whole[9:])]
            answers.append(await asked(b"x" * 100_000))
            silent = [await asyncio.open_connection(*where) for _ in range(200)]
            for _, writer in silent[:150]:
                writer.close()
            health.is_draining = True
            await asyncio.sleep(0.05)
            answers.append(await asked(whole))
            for _, writer in silent[150:]:
                writer.close()
            return answers

    where = listener.getsockname()
    found = asyncio.run(story())
    assert [data.split(b" ")[1:2] for data in found] == [[b"200"], [b"200"], [], [b"503"]]
