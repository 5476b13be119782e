from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport.resolver import SystemResolver, interleaved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.transport.resolver import Entries, Lookup

V4, V6 = socket.AF_INET, socket.AF_INET6


def entries(*addresses: str) -> Entries:
    return [
        (V6, socket.SOCK_STREAM, 6, "", (text, 0, 0, 0))
        if ":" in text
        else (V4, socket.SOCK_STREAM, 6, "", (text, 0))
        for text in addresses
    ]


def resolve(lookup: Lookup, host: str = "a.test", timeout_seconds: float = 5.0) -> Sequence[str]:
    resolver = SystemResolver(hosts={}, timeout_seconds=timeout_seconds, lookup=lookup)
    return asyncio.run(resolver.resolve(host))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("::1", "::2", "::3", "1.1.1.1"), ("::1", "1.1.1.1", "::2", "::3")),
        (("1.1.1.1", "::1", "2.2.2.2"), ("1.1.1.1", "::1", "2.2.2.2")),
        (("1.1.1.1", "1.1.1.1"), ("1.1.1.1",)),
        (("fe80::1%eth0", "1.1.1.1"), ("1.1.1.1",)),
        ((), ()),
    ],
)
def test_families_take_turns(given: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert interleaved(entries(*given)) == expected


def test_pinned_names_are_not_looked_up() -> None:
    def never(host: str) -> Entries:
        raise AssertionError(host)

    resolver = SystemResolver(hosts={"a.test": ("1.1.1.1",)}, timeout_seconds=1, lookup=never)
    coroutine = resolver.resolve("a.test")
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value == ("1.1.1.1",)


def test_a_lookup() -> None:
    assert resolve(lambda _: entries("1.1.1.1", "::1")) == ("1.1.1.1", "::1")


def test_the_systems_resolver_answers() -> None:
    resolver = SystemResolver(hosts={}, timeout_seconds=5)
    assert "127.0.0.1" in asyncio.run(resolver.resolve("localhost"))


@pytest.mark.parametrize(
    "problem", [socket.gaierror(socket.EAI_NONAME, "unknown"), OSError(5, "io"), UnicodeError("x")]
)
def test_a_failed_lookup(problem: Exception) -> None:
    def fails(host: str) -> Entries:
        raise problem

    with pytest.raises(DestinationUnreachable) as failed:
        resolve(fails)
    assert failed.value.failure is Failure.DNS_ERROR


def test_an_empty_answer() -> None:
    with pytest.raises(DestinationUnreachable) as failed:
        resolve(lambda _: [])
    assert failed.value.failure is Failure.DNS_ERROR


def test_a_lookup_that_hangs_is_given_up_and_holds_nobody_up() -> None:
    release = threading.Event()

    def hangs(host: str) -> Entries:
        release.wait(5)
        return entries("1.1.1.1")

    started = time.monotonic()
    with pytest.raises(DestinationUnreachable) as failed:
        resolve(hangs, timeout_seconds=0.05)
    assert failed.value.failure is Failure.DNS_TIMEOUT
    assert time.monotonic() - started < 2
    release.set()


def test_lookups_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(4, timeout=5)

    def meets(host: str) -> Entries:
        together.wait()
        return entries("1.1.1.1")

    async def inside() -> None:
        resolver = SystemResolver(hosts={}, timeout_seconds=5, lookup=meets)
        await asyncio.gather(*(resolver.resolve(f"{n}.test") for n in range(4)))

    asyncio.run(inside())
