"""Whatever the resolver does, the loop goes on, the answer says so, and nobody is cancelled."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, override

import pytest

from netproxy.model import Verdict
from netproxy.transport.resolver import SystemResolver
from otel.events import ConnectionFailed, ConnectionOpened, DialRefused
from tests.support.fair_clock import FairClock
from tests.support.fakes import FakePolicy, FakeVetted
from tests.support.origins import echo, origin
from tests.support.proxies import Setting, proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netproxy.model import Destination
    from netproxy.transport.resolver import Entries

SHORT = 0.1


def entry(address: str) -> Entries:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return [(family, socket.SOCK_STREAM, 6, "", (address, 0))]


def setting(lookup: Callable[[str], Entries], seconds: float = SHORT) -> Setting:
    return Setting(resolver=SystemResolver(hosts={}, timeout_seconds=seconds, lookup=lookup))


def lookups() -> int:
    return sum(thread.name == "lookup" for thread in threading.enumerate())


class Counting(FakePolicy):
    """Lets everything of loopback pass, and counts it."""

    def __init__(self) -> None:
        super().__init__(Verdict.ALLOW)
        self.passed = 0

    @override
    def vet(self, destination: Destination, addresses: Sequence[str]) -> FakeVetted:
        self.passed += len(addresses)
        return FakeVetted(passed=tuple(addresses), refused=())


@pytest.fixture
def hanging() -> Iterator[Callable[[str], Entries]]:
    released = threading.Event()

    def hangs(host: str) -> Entries:
        released.wait(30)
        return []

    yield hangs
    released.set()


def test_a_hundred_hanging_lookups_hold_up_no_other_connection(
    hanging: Callable[[str], Entries],
) -> None:
    with origin(echo) as far, proxy(setting(hanging, seconds=2)) as near:
        held = [near.http() for _ in range(100)]
        for number, client in enumerate(held):
            name = f"{number}.test:443"
            client.sendall(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        clock = FairClock()
        client, head = near.connect(f"127.0.0.1:{far.port}")
        with client:
            assert head.startswith(b"HTTP/1.1 200 ")
        assert clock() < 1
        assert lookups() <= 16
        for client in held:
            client.close()
        near.settle()


def test_no_answer_in_time(hanging: Callable[[str], Entries]) -> None:
    with proxy(setting(hanging)) as near:
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 504 ")
        assert b"error=dns_timeout;" in head
        assert [event.error_type for event in near.audit.of(ConnectionFailed)] == ["dns_timeout"]
        assert not near.token.is_cancelled


@pytest.mark.parametrize(
    "garbage",
    [
        [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))],
        [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%lo", 0, 0, 1))],
        [],
    ],
    ids=["another-family", "a-zone", "nothing"],
)
def test_an_answer_without_an_address(garbage: Entries) -> None:
    with proxy(setting(lambda _: garbage)) as near:
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"error=dns_error;" in head


@pytest.mark.parametrize("text", ["127.1", "0x7f000001", "localhost", "", "1.1.1.1\0"])
def test_a_text_that_is_no_address_is_refused_and_never_dialled(text: str) -> None:
    answer: Entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 0))]
    with proxy(setting(lambda _: answer)) as near:
        client, head = near.connect("a.test:443")
        client.close()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert len(near.audit.of(DialRefused)) == 1
        assert near.audit.of(ConnectionOpened) == []


def test_thousands_of_addresses_are_not_tried() -> None:
    """One allowed request must not become a scan of whatever its name's owner chose."""
    many = [row for n in range(4000) for row in entry(f"127.{1 + n // 250}.0.{1 + n % 250}")]
    counting = Counting()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"a.test:{unused.getsockname()[1]}"
        with proxy(replace(setting(lambda _: many), policy=counting)) as near:
            client, head = near.connect(where)
            client.close()
            assert head.startswith(b"HTTP/1.1 502 ")
    assert counting.passed == 32
