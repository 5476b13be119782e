"""Every association is told apart by where its datagrams come to."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

import pytest

from netproxy.transport import OwnPorts, Readiness, SharedPorts
from tests.support.loops import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from netproxy.transport.udp_ports import Address, Port, Ports

NEAR, CLIENT = ("127.0.0.1", 1080), ("127.0.0.1", 40000)
KINDS = pytest.mark.parametrize("kind", ["own", "shared"])


class Association:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Address]] = []

    def take(self, data: memoryview, source: Address) -> None:
        self.received.append((bytes(data), source))


def ports(kind: str, readiness: Readiness) -> Ports:
    if kind == "own":
        return OwnPorts(readiness, lambda *_: True)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)
    sock.bind(("", 0))
    return SharedPorts(sock, readiness)


@KINDS
def test_each_takes_its_own_datagrams_and_answers_from_its_own_address(kind: str) -> None:
    async def story() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        made = ports(kind, readiness)
        one, two = Association(), Association()
        ends: list[Port] = [made.open(NEAR, CLIENT, each.take) for each in (one, two)]
        assert len({end.address for end in ends}) == 2
        assert "127.0.0.1" not in {end.address[0] for end in ends} or kind == "own"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.settimeout(PATIENCE_SECONDS)
            for end, data in zip(ends, (b"one", b"two"), strict=True):
                client.sendto(data, end.address)
            await until(lambda: one.received and two.received)
            assert one.received == [(b"one", client.getsockname())]
            assert two.received == [(b"two", client.getsockname())]
            for end, data in zip(ends, (b"1", b"2"), strict=True):
                assert end.send(data, client.getsockname())
                assert client.recvfrom(10) == (data, end.address)
            assert not ends[0].send(b"x" * 65536, client.getsockname())
            ends[0].close()
            client.sendto(b"late", ends[0].address)
            client.sendto(b"still", ends[1].address)
            await until(lambda: len(two.received) > 1)
        assert [data for data, _ in one.received] == [b"one"]
        assert [data for data, _ in two.received] == [b"two", b"still"]
        ends[1].close()
        made.close()
        readiness.close()

    asyncio.run(story())


def test_nobody_is_where_the_listeners_are_nor_at_the_broadcast_address() -> None:
    async def story() -> set[str]:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        made = ports("shared", readiness)
        found = {made.open(NEAR, CLIENT, Association().take).address[0] for _ in range(2000)}
        made.close()
        readiness.close()
        return found

    found = asyncio.run(story())
    assert len(found) == 2000
    assert not [each for each in found if each.endswith((".0", ".255"))]
    assert "127.0.0.1" not in found


def test_a_closed_port_in_the_middle_of_a_batch_takes_no_more() -> None:
    async def story() -> list[bytes]:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        received: list[bytes] = []

        def once(data: memoryview, _: Address) -> None:
            received.append(bytes(data))
            end.close()

        end = ports("own", readiness).open(NEAR, CLIENT, once)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for number in range(5):
                client.sendto(b"%d" % number, end.address)
            await until(lambda: received)
            await asyncio.sleep(0.02)
        readiness.close()
        return received

    assert asyncio.run(story()) == [b"0"]


def test_an_address_that_is_not_ours_is_refused() -> None:
    async def story() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        with pytest.raises(OSError, match="assign"):
            OwnPorts(readiness, lambda *_: True).open(
                ("192.0.2.1", 1080), CLIENT, Association().take
            )
        readiness.close()

    asyncio.run(story())


def test_an_address_of_a_link_is_bound_on_its_link() -> None:
    """Without the link the kernel takes none (EINVAL); here it looks for one that there is not."""

    async def story() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        opened = OwnPorts(readiness, lambda *_: True).open
        with pytest.raises(OSError, match="device") as refused:
            opened(("fe80::1", 1080, 0, 2**31 - 1), ("fe80::2", 1), Association().take)
        assert refused.value.errno == errno.ENODEV
        readiness.close()

    asyncio.run(story())


def test_whose_a_datagram_is() -> None:
    async def story() -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=pytest.fail)
        asked: list[tuple[Address, Address, Address]] = []

        def guard(source: Address, client: Address, near: Address) -> bool:
            asked.append((source, client, near))
            return source[1] == 7

        end = OwnPorts(readiness, guard).open(NEAR, CLIENT, Association().take)
        assert [end.is_clients(("127.0.0.1", port)) for port in (7, 8)] == [True, False]
        assert asked == [(("127.0.0.1", port), CLIENT, NEAR) for port in (7, 8)]
        end.close()
        made = ports("shared", readiness)
        inside = made.open(NEAR, CLIENT, Association().take)
        assert inside.is_clients(("127.0.0.1", 8))
        inside.close()
        made.close()
        readiness.close()

    asyncio.run(story())
