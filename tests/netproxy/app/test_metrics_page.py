"""Numbers go to whoever asks for them by address; a scrape never stops the loop."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from netproxy.app.metrics_page import MetricsPage
from tests.support.loops import PATIENCE_SECONDS

HERE = b"Host: 127.0.0.1\r\n"


async def asked(where: tuple[str, int], head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*where)
    writer.write(head + b"\r\n")
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n" + HERE, b"200"),
        (b"GET /metrics HTTP/1.1\r\nHost: attacker.test\r\n", b"421"),
        (b"GET / HTTP/1.1\r\n" + HERE, b"404"),
        (b"POST /metrics HTTP/1.1\r\n" + HERE, b"405"),
    ],
)
def test_who_is_told(head: bytes, status: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    pages = []

    def page() -> tuple[str, bytes]:
        pages.append(threading.current_thread())
        return "text/plain; version=0.0.4", b"netproxy_x 1\n"

    async def story() -> bytes:
        async with MetricsPage(listener, page):
            return await asked(listener.getsockname(), head)

    answer = asyncio.run(story())
    assert answer.split(b" ")[1] == status
    assert (b"netproxy_x 1" in answer) == (status == b"200") == bool(pages)
    assert threading.main_thread() not in pages


def test_the_loop_goes_on_while_a_scrape_hangs_and_only_one_runs() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    go_on, running, most = threading.Event(), [0], [0]

    def page() -> tuple[str, bytes]:
        running[0] += 1
        most[0] = max(most[0], running[0])
        assert go_on.wait(PATIENCE_SECONDS)
        running[0] -= 1
        return "text/plain", b"1\n"

    async def story() -> list[bytes]:
        head = b"GET /metrics HTTP/1.1\r\n" + HERE
        async with MetricsPage(listener, page), asyncio.TaskGroup() as group:
            where = listener.getsockname()
            scrapes = [group.create_task(asked(where, head)) for _ in range(3)]
            while not running[0]:
                await asyncio.sleep(0)
            other = await asked(where, b"GET / HTTP/1.1\r\n" + HERE)
            assert other.split(b" ")[1] == b"404", "answered meanwhile"
            go_on.set()
        return [await scrape for scrape in scrapes]

    assert all(answer.endswith(b"\r\n\r\n1\n") for answer in asyncio.run(story()))
    assert most == [1]
