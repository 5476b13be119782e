"""What was refused is on record: by target and second, and never more than a journal can take."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, override

import pytest

from netproxy.app.rejected_packets import RejectedPackets
from otel.events import EgressFlood, EgressRejected, Event
from tests.sandbox.linux.test_nflog import PORTS, ipv4, ipv6, report
from tests.support.loops import until

if TYPE_CHECKING:
    from collections.abc import Iterator

UDP = report(ipv4(17, PORTS))
UDP6 = report(ipv6(17, PORTS))


class Reports(socket.socket):
    """Fills the kernel's socket; once it had no room."""

    overflows = 0

    @override
    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self.overflows:
            self.overflows -= 1
            raise OSError(errno.ENOBUFS, "no buffer space available")
        return super().recv(size, flags)


@pytest.fixture
def pair() -> Iterator[tuple[Reports, socket.socket]]:
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reports = Reports(fileno=ours.detach())
    reports.setblocking(False)
    with reports, kernel:
        yield reports, kernel


def refused(address: str, packets: int) -> EgressRejected:
    return EgressRejected(server_address=address, server_port=443, protocol="udp", packets=packets)


def test_each_target_is_recorded_once_a_second(pair: tuple[Reports, socket.socket]) -> None:
    reports, kernel = pair
    events: list[Event] = []

    async def story() -> None:
        with RejectedPackets(reports, asyncio.get_running_loop(), events.append) as packets:
            kernel.send(UDP + UDP6)
            kernel.send(UDP)
            await until(lambda: packets._timer)
            assert events == []
            assert packets._timer is not None
            packets._timer._run()  # as if a second had passed
            assert events == [refused("192.0.2.1", 2), refused("2001:db8::1", 1)]
            kernel.send(UDP)
            await until(lambda: packets._timer)

    asyncio.run(story())
    assert events[2:] == [refused("192.0.2.1", 1)]


def test_what_came_last_is_on_record(pair: tuple[Reports, socket.socket]) -> None:
    reports, kernel = pair
    events: list[Event] = []

    async def story() -> None:
        with RejectedPackets(reports, asyncio.get_running_loop(), events.append):
            kernel.send(UDP)

    asyncio.run(story())
    assert events == [refused("192.0.2.1", 1)]


def test_of_too_many_targets_the_sum_is_recorded(pair: tuple[Reports, socket.socket]) -> None:
    reports, kernel = pair
    events: list[Event] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        with RejectedPackets(reports, loop, events.append, most=1) as packets:
            kernel.send(UDP + UDP6 + UDP)
            await until(lambda: packets._flood)
            assert packets._flood is not None
            packets._flood._run()  # as if a minute had passed
            packets._record()
            kernel.send(UDP)

    asyncio.run(story())
    assert events == [
        EgressFlood(packets=1, reports_dropped=0),
        refused("192.0.2.1", 2),
        EgressFlood(packets=1, reports_dropped=0),
    ]


def test_reports_that_the_kernel_dropped_are_told(pair: tuple[Reports, socket.socket]) -> None:
    reports, kernel = pair
    reports.overflows = 1
    events: list[Event] = []

    async def story() -> None:
        with RejectedPackets(reports, asyncio.get_running_loop(), events.append) as packets:
            kernel.send(UDP)
            await until(lambda: packets._timer)

    asyncio.run(story())
    assert events == [refused("192.0.2.1", 1), EgressFlood(packets=0, reports_dropped=1)]


def test_a_flood_leaves_the_gateway_time_for_its_work(
    pair: tuple[Reports, socket.socket],
) -> None:
    reports, kernel = pair
    events: list[Event] = []

    async def story() -> None:
        with RejectedPackets(reports, asyncio.get_running_loop(), events.append) as packets:
            for _ in range(100):
                kernel.send(UDP)
            await until(lambda: packets._counts)
            assert packets._counts == {("udp", "192.0.2.1", 443): 64}
            assert packets._rest is not None
            packets._rest._run()  # as if it had rested
            await until(lambda: packets._counts == {("udp", "192.0.2.1", 443): 100})
            assert packets._rest is None

    asyncio.run(story())
    assert events == [refused("192.0.2.1", 100)]
