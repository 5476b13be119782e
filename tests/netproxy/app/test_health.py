"""Health is told to whoever asks by address, and nothing else is told to anybody."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netproxy.app.health import Condition, Health, answer
from tests.support.loops import until

HERE = b"Host: 127.0.0.1:3129\r\n"


def request(line: bytes, fields: bytes = HERE) -> bytes:
    return line + b"\r\n" + fields + b"\r\n"


def status(head: bytes, condition: Condition = Condition.OK) -> int:
    return int(answer(head, condition).split()[1])


class Record:
    impairment: str | None = None
    is_almost_full = False


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
    assert answer(request(b"GET /health HTTP/1.1"), Condition.DRAINING).endswith(
        b"\r\n\r\ndraining\n"
    )
    assert status(request(b"GET /health HTTP/1.1"), Condition.DRAINING) == 503


def test_without_a_record_it_is_a_503_and_with_little_room_it_is_said() -> None:
    assert status(request(b"GET /health HTTP/1.1"), Condition.AUDIT_UNAVAILABLE) == 503
    almost = answer(request(b"GET /health HTTP/1.1"), Condition.ALMOST_FULL)
    assert almost.split()[1] == b"200"
    assert almost.endswith(b"ok, but the audit disk is almost full\n")


def test_what_comes_with_it() -> None:
    head, _, body = answer(request(b"GET /health HTTP/1.1"), Condition.OK).partition(b"\r\n\r\n")
    assert body == b"ok\n"
    for line in (
        b"Content-Length: 3",
        b"Cache-Control: no-store",
        b"Cross-Origin-Resource-Policy: same-origin",
        b"Connection: close",
    ):
        assert line in head.split(b"\r\n")
    assert b"Access-Control" not in head
    assert b"\r\nAllow: GET, HEAD\r\n" in answer(request(b"PUT /health HTTP/1.1"), Condition.OK)
    assert answer(request(b"HEAD /health HTTP/1.1"), Condition.OK).endswith(b"\r\n\r\n")


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
    for condition in (Condition.OK, Condition.DRAINING):
        found = status(request(b"GET /health HTTP/1.1", fields), condition)
        assert found == (503 if condition is Condition.DRAINING and code == 200 else code)


def test_an_old_client_has_no_host() -> None:
    assert status(request(b"GET /health HTTP/1.0", b"")) == 200


@given(st.binary(max_size=200))
def test_whatever_comes_is_answered(data: bytes) -> None:
    assert answer(data + b"\r\n\r\n", Condition.OK).startswith(b"HTTP/1.1 ")


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
        async with Health(listener, record) as health:
            whole = request(b"GET /health HTTP/1.1")
            answers = [await asked(whole), await asked(whole[:9], whole[9:])]
            answers.append(await asked(b"x" * 100_000))
            silent = [await asyncio.open_connection(*where) for _ in range(200)]
            assert await silent[-1][0].read() == b""  # nor has any before it to be looked at yet
            for _, writer in silent[:150]:
                writer.close()
            await until(lambda: not health._open)
            record.impairment = "the disk is full"
            answers.append(await asked(whole))
            record.impairment = None
            record.is_almost_full = True
            answers.append(await asked(whole))
            health.is_draining = True
            answers.append(await asked(whole))
            for _, writer in silent[150:]:
                writer.close()
            return answers

    where = listener.getsockname()
    record = Record()
    found = asyncio.run(story())
    assert [data.split(b" ")[1:2] for data in found] == [
        [b"200"], [b"200"], [], [b"503"], [b"200"], [b"503"],
    ]  # fmt: skip
