from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport.resolver import SystemResolver, addresses_of, system_lookup
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
    assert addresses_of(entries(*given)) == expected


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
    resolver = SystemResolver(hosts={}, timeout_seconds=PATIENCE_SECONDS)
    assert "127.0.0.1" in asyncio.run(resolver.resolve("localhost"))


HOSTS = b"""
127.0.0.1 localhost
# 192.0.2.9 hosted.invalid
192.0.2.1\tHosted.Invalid  alias.invalid # other.invalid
2001:db8::1 hosted.invalid
nonsense hosted.invalid
\xff hosted.invalid \xfe
"""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("hosted.invalid", ("192.0.2.1", "2001:db8::1")),
        ("alias.invalid", ("192.0.2.1",)),
    ],
)
def test_the_hosts_file_comes_first(host: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    hosts_file = tmp_path / "hosts"
    hosts_file.write_bytes(HOSTS)
    assert addresses_of(system_lookup(host, hosts_file)) == expected


@pytest.mark.parametrize("host", ["other.invalid", "osted.invalid", "d.invalid"])
def test_what_the_hosts_file_does_not_name_is_asked_elsewhere(host: str, tmp_path: Path) -> None:
    hosts_file = tmp_path / "hosts"
    for content in (HOSTS, None):
        if content is None:
            hosts_file.unlink()
        else:
            hosts_file.write_bytes(content)
        with pytest.raises(socket.gaierror):  # RFC 6761 section 6.4: nobody has such a name
            system_lookup(host, hosts_file)


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
        release.wait(PATIENCE_SECONDS)
        return entries("1.1.1.1")

    started = time.monotonic()
    with pytest.raises(DestinationUnreachable) as failed:
        resolve(hangs, timeout_seconds=0.05)
    assert failed.value.failure is Failure.DNS_TIMEOUT
    assert time.monotonic() - started < PATIENCE_SECONDS / 2
    release.set()


def test_lookups_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(4, timeout=PATIENCE_SECONDS)

    def meets(host: str) -> Entries:
        together.wait()
        return entries("1.1.1.1")

    async def inside() -> None:
        resolver = SystemResolver(hosts={}, timeout_seconds=PATIENCE_SECONDS, lookup=meets)
        await asyncio.gather(*(resolver.resolve(f"{n}.test") for n in range(4)))

    asyncio.run(inside())


def test_a_lookup_that_is_under_way_answers_everybody_and_is_then_forgotten() -> None:
    asked: list[str] = []
    go = threading.Event()

    def waits(host: str) -> Entries:
        asked.append(host)
        assert go.wait(PATIENCE_SECONDS)
        return entries(f"1.1.1.{len(asked)}")

    async def inside() -> None:
        resolver = SystemResolver(hosts={}, timeout_seconds=PATIENCE_SECONDS, lookup=waits)
        together = [asyncio.ensure_future(resolver.resolve("a.test")) for _ in range(40)]
        await asyncio.sleep(0)
        together.pop().cancel()
        go.set()
        assert set(await asyncio.gather(*together)) == {("1.1.1.1",)}
        assert asked == ["a.test"]
        assert await resolver.resolve("a.test") == ("1.1.1.2",)

    asyncio.run(inside())


def test_waiting_for_a_thread_one_may_find_the_lookup_under_way() -> None:
    asked: list[str] = []
    go, late = threading.Event(), threading.Event()

    def waits(host: str) -> Entries:
        asked.append(host)
        assert (late if host == "late.test" else go).wait(PATIENCE_SECONDS)
        return entries("1.1.1.1")

    async def inside() -> None:
        resolver = SystemResolver(hosts={}, timeout_seconds=PATIENCE_SECONDS, lookup=waits)
        hosts = [f"{n}.test" for n in range(16)] + ["late.test"] * 3
        together = [asyncio.ensure_future(resolver.resolve(host)) for host in hosts]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*together[:16])
        for _ in range(5):  # now each of the three has had a thread to take
            await asyncio.sleep(0)
        late.set()
        await asyncio.gather(*together)
        assert asked.count("late.test") == 1
        assert len(asked) == 17

    asyncio.run(inside())


def test_no_thread_to_be_had_is_a_failed_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def inside() -> None:
        resolver = SystemResolver(
            hosts={}, timeout_seconds=PATIENCE_SECONDS, lookup=lambda _: entries("1.1.1.1")
        )
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(DestinationUnreachable, match="new thread") as failed:
                await resolver.resolve("a.test")
        assert failed.value.failure is Failure.DNS_ERROR
        assert await resolver.resolve("a.test") == ("1.1.1.1",)

    asyncio.run(inside())
