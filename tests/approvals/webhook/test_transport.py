"""One delivery: what counts as success, and how each failure is told from the others."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from approvals.errors import LookupFailed
from approvals.webhook.transport import Attempt, Problem, Transport
from tests.support.loops import on_a_loop
from tests.support.receivers import FakeNetwork, To, receiver, status
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = {"webhook-id": "w-12345678"}
BODY = b'{"type":"endpoint.ping"}'
NAMES = {"hooks.example.org": ["127.0.0.1"]}


async def post(
    to: To, network: FakeNetwork | None = None, tls: ssl.SSLContext | None = None
) -> Attempt:
    return await Transport(network or FakeNetwork(names=NAMES), tls=tls).post(to, HEADERS, BODY)


@on_a_loop
async def test_a_name_is_looked_up_once_and_arrives_as_the_host() -> None:
    network = FakeNetwork(names=NAMES)
    async with receiver(status(204)) as hook:
        attempt = await post(To(url=hook.url("hooks.example.org")), network)
    assert (attempt.problem, attempt.status) == (None, 204)
    assert network.asked == ["hooks.example.org"]
    (got,) = hook.got
    assert got.line == "POST /hook HTTP/1.1"
    assert got.header("host") == f"hooks.example.org:{hook.port}"
    assert got.header("webhook-id") == "w-12345678"
    assert got.header("content-type") == "application/json"
    assert got.body == BODY


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (200, None),
        (299, None),
        (304, Problem.REDIRECT),
        (400, Problem.STATUS),
        (410, Problem.GONE),
        (503, Problem.STATUS),
    ],
)
@on_a_loop
async def test_only_2xx_is_success(code: int, problem: Problem | None) -> None:
    async with receiver(status(code)) as hook:
        attempt = await post(To(url=hook.url()))
    assert (attempt.problem, attempt.status) == (problem, code)
    assert str(code) in attempt.explanation


@on_a_loop
async def test_the_beginning_of_an_error_is_kept_and_made_visible() -> None:
    async with receiver(status(400, body=b"bad\x1b[2J signature" + b"x" * 9999)) as hook:
        attempt = await post(To(url=hook.url()))
    assert attempt.answer.startswith("bad\\u001b[2J signature")
    assert len(attempt.answer) < 200


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", Problem.BROKEN),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Problem.BROKEN),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99_999 + b"\r\n\r\n", Problem.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut", None),
    ],
)
@on_a_loop
async def test_an_answer_is_http_or_broken(answer: bytes, problem: Problem | None) -> None:
    async with receiver(answer) as hook:
        attempt = await post(To(url=hook.url()))
    assert attempt.problem is problem


@on_a_loop
async def test_nobody_answers() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        refused = await post(To(url=f"http://127.0.0.1:{bound.getsockname()[1]}/"))
        bound.listen()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        hung = await post(To(url=url, timeout_seconds=0.1))
    assert refused.problem is Problem.CONNECT
    assert "refused" in refused.explanation
    assert hung.problem is Problem.TIMEOUT
    assert hung.seconds >= 0.1


@on_a_loop
async def test_a_name_that_leads_nowhere() -> None:
    network = FakeNetwork(names={"hooks.example.org": LookupFailed("no such\x1b name")})
    attempt = await post(To(url="https://hooks.example.org/"), network)
    assert (attempt.problem, attempt.explanation) == (Problem.DNS, "no such\\u001b name")


@on_a_loop
async def test_a_lookup_counts_as_part_of_the_time() -> None:
    class Slow(FakeNetwork):
        async def resolve(self, host: str) -> list[str]:
            await asyncio.sleep(5)
            return []

    attempt = await post(To(url="https://hooks.example.org/", timeout_seconds=0.05), Slow())
    assert attempt.problem is Problem.TIMEOUT


@on_a_loop
async def test_an_address_that_is_refused_is_not_dialled() -> None:
    async with receiver() as hook:
        network = FakeNetwork(names=NAMES, refused={"127.0.0.1": "loopback"})
        attempt = await post(To(url=hook.url("hooks.example.org")), network)
    assert attempt.problem is Problem.REFUSED_ADDRESS
    assert "127.0.0.1 (loopback)" in attempt.explanation
    assert hook.got == []


@on_a_loop
async def test_plain_http_leaves_this_host_by_no_way() -> None:
    for leads_to in (["192.0.2.1"], ["127.0.0.1", "192.0.2.1"]):
        network = FakeNetwork(names={"hooks.example.org": leads_to})
        attempt = await post(To(url="http://hooks.example.org/"), network)
        assert attempt.problem is Problem.NOT_ENCRYPTED


@on_a_loop
async def test_tls_is_verified_for_the_name_in_the_url(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "hooks.example.org")
    trusting = ssl.create_default_context(cafile=authority.bundle)
    network = FakeNetwork(
        names={"hooks.example.org": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    )
    async with receiver(tls=authority.server_context()) as hook:
        good = await post(To(url=hook.url("hooks.example.org", scheme="https")), network, trusting)
        other = await post(To(url=hook.url("other.example", scheme="https")), network, trusting)
        unknown = await post(To(url=hook.url("hooks.example.org", scheme="https")), network)
    assert good.problem is None
    assert (other.problem, unknown.problem) == (Problem.TLS, Problem.TLS)
    assert "ismatch" in other.explanation
    assert "certificate" in unknown.explanation
    assert len(hook.got) == 1


@on_a_loop
async def test_plain_http_where_tls_is_meant() -> None:
    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(status(400))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        attempt = await post(To(url=f"https://127.0.0.1:{port}/"))
    assert attempt.problem is Problem.TLS
