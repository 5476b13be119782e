"""A port of one target answers that one, in our own headers. What it refuses: `test_health`."""

from __future__ import annotations

import asyncio
import socket

import pytest

from netproxy.app.one_page import OnePage, refusal, response, status_of

HEAD = b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(("target", "status"), [(b"/x", 200), (b"/y", 404)])
def test_one_target(target: bytes, status: int) -> None:
    assert status_of(HEAD, target) == status


def test_an_answer_is_whole() -> None:
    said = response(HEAD, 200, b"text", kind="text/x")
    head, _, body = said.partition(b"\r\n\r\n")
    assert body == b"text"
    assert {b"HTTP/1.1 200 OK", b"Content-Type: text/x", b"Content-Length: 4"} <= set(
        head.split(b"\r\n")
    )
    assert response(HEAD.replace(b"GET", b"HEAD"), 200, b"text").endswith(b"\r\n\r\n")
    assert refusal(HEAD, 404).endswith(b"\r\n\r\nnot found\n")


def test_it_answers_until_it_is_left() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    where = listener.getsockname()

    async def echo(head: bytes) -> bytes:
        return head.upper()

    async def story() -> bytes:
        async with OnePage(listener, echo):
            reader, writer = await asyncio.open_connection(*where)
            writer.write(HEAD)
            answer = await reader.read()
            writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*where)
        return answer

    assert asyncio.run(story()) == HEAD.upper()
