"""Questions over real sockets: answered at once, in any pieces, and never for ever."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from netproxy.transport import Readiness
from netproxy.transport.dns_listeners import DnsListeners
from tests.support.late_loops import JumpingLoop, jump
from tests.support.loops import PATIENCE_SECONDS
from tests.support.reluctant import Reluctant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

FAMILIES = {
    "ipv4": (socket.AF_INET, "127.0.0.1"),
    "ipv6": (socket.AF_INET6, "::1"),
}


def shout(message: memoryview) -> bytes | None:
    """Answer in capitals; silence is not answered, and `flood` with more than anybody takes."""
    said = bytes(message)
    if said == b"flood":
        return b"x" * 65535
    return None if said == b"silence" else said.upper()


class Asking:
    """A client in the same loop as the listeners."""

    def __init__(self, where: dict[int, tuple[str, int]], family: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._where = where
        self._family = family

    async def datagrams(self, *said: bytes) -> list[bytes]:
        with socket.socket(self._family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(self._where[socket.SOCK_DGRAM])
            for each in said:
                sock.send(each)
            found: list[bytes] = []
            while len(found) < len([each for each in said if each != b"silence"]):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    found.append(await self._loop.sock_recv(sock, 65536))
            return found

    async def connected(self) -> socket.socket:
        sock = socket.socket(self._family)
        sock.setblocking(False)
        await self._loop.sock_connect(sock, self._where[socket.SOCK_STREAM])
        return sock

    async def read(self, sock: socket.socket, count: int) -> bytes:
        found = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < count:
                more = await self._loop.sock_recv(sock, count - len(found))
                if not more:
                    break
                found += more
        return found


def asking(
    scenario: Callable[[Asking], Awaitable[None]],
    family: str = "ipv4",
    *,
    seconds: float = 30.0,
    failures: Sequence[int] = (),
) -> None:
    number, address = FAMILIES[family]

    async def inside() -> None:
        reports: list[str] = []
        readiness = Readiness(asyncio.get_running_loop(), report=reports.append)
        udp = socket.socket(number, socket.SOCK_DGRAM)
        tcp = Reluctant(number)
        tcp.failures = list(failures)
        for each in (udp, tcp):
            each.bind((address, 0))
        tcp.listen()
        where = {int(each.type): each.getsockname()[:2] for each in (udp, tcp)}
        listeners = DnsListeners(readiness, shout, udp=[udp], tcp=[tcp], tcp_seconds=seconds)
        await scenario(Asking(where, number))
        listeners.close()
        assert readiness._handlers == {}
        assert listeners._clients == {}
        readiness.close()
        assert reports == []
        assert (udp.fileno(), tcp.fileno()) == (-1, -1)

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(inside())


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


@pytest.mark.parametrize("family", FAMILIES)
def test_datagrams_are_answered_in_bursts(family: str) -> None:
    async def scenario(client: Asking) -> None:
        many = [b"%d?" % each for each in range(100)]
        assert await client.datagrams(*many) == many
        assert await client.datagrams(b"silence", b"a") == [b"A"]

    asking(scenario, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_on_tcp_come_one_after_the_other_and_in_pieces(family: str) -> None:
    async def scenario(client: Asking) -> None:
        with await client.connected() as sock:
            sock.send(framed(b"one") + framed(b"silence") + framed(b"two") + framed(b"three")[:3])
            assert await client.read(sock, 10) == framed(b"ONE") + framed(b"TWO")
            sock.send(framed(b"three")[3:])
            assert await client.read(sock, 7) == framed(b"THREE")
            sock.shutdown(socket.SHUT_WR)
            assert await client.read(sock, 1) == b""

    asking(scenario)


def test_out_of_descriptors_waits_and_goes_on() -> None:
    """Trying again at once would keep the processor busy."""

    async def scenario(client: Asking) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with await client.connected() as sock:
            sock.send(framed(b"one"))
            assert await client.read(sock, 5) == framed(b"ONE")
        assert loop.time() - began >= 0.2

    asking(scenario, failures=[errno.EMFILE, errno.EMFILE])


def test_whoever_is_slow_is_hung_up_on() -> None:
    """Byte by byte, too: only a whole question counts."""

    async def scenario(client: Asking) -> None:
        with await client.connected() as silent, await client.connected() as slow:
            with suppress(ConnectionError):  # that is what it is for
                for each in range(6):
                    slow.send(b"\0\x09abcdef"[each : each + 1])
                    await asyncio.sleep(0.02)
                assert await client.read(slow, 1) == b""
            assert await client.read(silent, 1) == b""

    asking(scenario, seconds=0.1)


def test_a_question_begins_the_time_anew() -> None:
    async def scenario(client: Asking) -> None:
        with await client.connected() as sock:
            for _ in range(4):
                jump(120.0)
                await asyncio.sleep(0)
                sock.send(framed(b"a"))
                assert await client.read(sock, 3) == framed(b"A")

    asking(scenario, seconds=300.0)


@pytest.mark.parametrize("said", [b"\xff\xff", framed(b"flood") * 200], ids=["long", "unread"])
def test_whoever_overdoes_it_is_hung_up_on(said: bytes) -> None:
    async def scenario(client: Asking) -> None:
        with await client.connected() as sock:
            sock.send(said)
            await asyncio.sleep(0.05)
            found = b"?"
            try:
                while found:
                    found = await client.read(sock, 65536)
            except ConnectionResetError:
                return

    asking(scenario)


def test_who_opens_many_loses_the_first_ones() -> None:
    async def scenario(client: Asking) -> None:
        many = [await client.connected() for _ in range(40)]
        assert await client.read(many[0], 1) == b""
        many[-1].send(framed(b"a"))
        assert await client.read(many[-1], 3) == framed(b"A")
        for each in many:
            each.close()

    asking(scenario)


def test_who_resets_is_gone() -> None:
    async def scenario(client: Asking) -> None:
        sock = await client.connected()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
        assert await client.datagrams(b"a") == [b"A"]

    asking(scenario)
