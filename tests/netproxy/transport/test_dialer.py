"""Happy Eyeballs over checked addresses (RFC 8305)."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.config import Limits
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import Destination, Protocol
from netproxy.transport.dialer import FAILURES, HappyEyeballs, interleaved
from netproxy.transport.readiness import Readiness
from netproxy.transport.sockets import tcp_socket
from tests.support.fair_clock import FairClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.transport.sockets import Socket

LIMITS = replace(Limits(), attempt_delay_seconds=0.03)


@contextmanager
def listening(address: str, port: int = 0, *, is_deaf: bool = False) -> Iterator[int]:
    """A listener; a deaf one has a full queue, so that connecting to it hangs."""
    with ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, port))
        listener.listen(0 if is_deaf else 16)
        for _ in range(3 if is_deaf else 0):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def to(port: int) -> Destination:
    return Destination(host="a.test", port=port, protocol=Protocol.HTTPS)


def dial(addresses: tuple[str, ...], port: int, limits: Limits = LIMITS) -> str:
    async def inside() -> str:
        def report(line: str) -> None:
            raise AssertionError(line)

        readiness = Readiness(asyncio.get_running_loop(), report=report)
        try:
            dialer = HappyEyeballs(readiness, limits)
            with closing(await dialer.dial(to(port), addresses)) as connected:
                assert connected.gettimeout() == 0
                assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                peer: str = connected.getpeername()[0]
            assert readiness._handlers == {}
            return peer
        finally:
            readiness.close()

    return asyncio.run(inside())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_address(address: str) -> None:
    with listening(address) as port:
        assert dial((address,), port) == address


def test_a_refused_address_is_passed_over_at_once() -> None:
    with listening("127.0.0.1") as port:
        clock = FairClock()
        limits = replace(LIMITS, attempt_delay_seconds=5.0, connect_seconds=10.0)
        assert dial(("127.0.0.2", "127.0.0.1"), port, limits) == "127.0.0.1"
        assert clock() < 1


def test_a_silent_address_delays_by_one_step_only() -> None:
    with listening("127.0.0.1") as port, listening("127.0.0.2", port, is_deaf=True):
        assert dial(("127.0.0.2", "127.0.0.1"), port) == "127.0.0.1"


def test_silence_everywhere_is_a_timeout() -> None:
    with (
        listening("127.0.0.2", is_deaf=True) as port,
        pytest.raises(DestinationUnreachable) as failed,
    ):
        dial(("127.0.0.2",), port, replace(LIMITS, connect_seconds=0.1))
    assert failed.value.failure is Failure.CONNECTION_TIMEOUT


def test_all_refused_is_refused_whatever_else_has_no_route() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for addresses in (("127.0.0.1",), ("127.0.0.2", "127.0.0.1")):
            with pytest.raises(DestinationUnreachable) as failed:
                dial(addresses, port)
            assert failed.value.failure is Failure.CONNECTION_REFUSED


def test_an_address_that_leads_nowhere_is_no_failure_of_ours() -> None:
    """Of a link, without the link: to the kernel it is what a blackhole route makes of any."""
    with pytest.raises(DestinationUnreachable) as failed:
        dial(("fe80::1",), 9)
    assert failed.value.failure is Failure.NETWORK_UNREACHABLE


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (errno.ENETDOWN, Failure.NETWORK_UNREACHABLE),
        (errno.ENOPROTOOPT, Failure.HOST_UNREACHABLE),
        (errno.EPROTO, Failure.HOST_UNREACHABLE),
        (errno.EMFILE, Failure.INTERNAL),
    ],
    ids=str,
)
def test_what_the_kernel_says_of_a_dial(code: int, failure: Failure) -> None:
    assert FAILURES.get(code, Failure.INTERNAL) is failure


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_socket_that_met_itself_is_nobody(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is gone at once: whoever is waited for can listen there."""
    with listening(address) as free:
        pass

    def unlucky(address: str) -> Socket:
        """As the kernel does it, one time in 28,000."""
        made = tcp_socket(address)
        made.bind((address, free))
        return made

    monkeypatch.setattr("netproxy.transport.dialer.tcp_socket", unlucky)
    with pytest.raises(DestinationUnreachable) as error:
        dial((address,), free)
    assert error.value.failure is Failure.CONNECTION_REFUSED
    with listening(address, free) as port:
        assert port == free


def test_no_addresses_is_a_failure() -> None:
    with pytest.raises(DestinationUnreachable):
        dial((), 80)


def test_a_cancelled_dial_leaves_nothing_open() -> None:
    async def inside(port: int) -> None:
        readiness = Readiness(asyncio.get_running_loop(), report=lambda _: None)
        dialer = HappyEyeballs(readiness, LIMITS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dialer.dial(to(port), ("127.0.0.2", "127.0.0.3"))
        assert readiness._handlers == {}
        readiness.close()

    with listening("127.0.0.2", is_deaf=True) as port, listening("127.0.0.3", port, is_deaf=True):
        asyncio.run(inside(port))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("::1 ::2", "::1 ::2"),
        ("::1 ::2 ::3 1.1.1.1", "::1 1.1.1.1 ::2 ::3"),
        ("1.1.1.1 2.2.2.2 ::1", "1.1.1.1 ::1 2.2.2.2"),
    ],
)
def test_families_take_turns_in_what_was_checked(given: str, expected: str) -> None:
    """RFC 8305 section 4, with a first family count of one."""
    assert interleaved(given.split()) == tuple(expected.split())


def test_a_dropped_address_does_not_hold_back_the_other_family() -> None:
    """What the policy refused left two of one family in a row."""
    with listening("127.0.0.1") as port:
        limits = replace(LIMITS, attempt_delay_seconds=0.5, connect_seconds=0.95)
        with listening("127.0.0.2", port, is_deaf=True), listening("::1", port):
            assert dial(("127.0.0.2", "127.0.0.2", "::1"), port, limits) == "::1"
