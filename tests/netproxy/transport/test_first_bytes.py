"""What waits, for how long, and what then goes on: the whole of it, or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from netproxy.config import Limits
from netproxy.model import ConnectionId, Destination, Protocol, Request
from netproxy.transport.first_bytes import FirstBytes, observed
from tests.support.hellos import extension, hello, names

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.protocol.host_field import Asked
    from netproxy.protocol.tls_hello import Hello
    from netproxy.transport.services import Services

SENT = hello(names(b"a.test"))


@dataclass
class FakeReadiness:
    loop: asyncio.AbstractEventLoop


@dataclass
class FakeServices:
    readiness: FakeReadiness
    limits: Limits = field(default_factory=lambda: replace(Limits(), hello_seconds=0.01))


class Judged:
    def __init__(self, *, passes: bool = True) -> None:
        self.seen: list[Hello] = []
        self.in_time = 0
        self._passes = passes

    def __call__(self, shown: Hello) -> bool:
        self.seen.append(shown)
        return self._passes

    def too_late(self) -> None:
        self.in_time += 1


def looking(scenario: Callable[[FirstBytes], object], judged: Judged) -> None:
    async def inside() -> None:
        services = FakeServices(FakeReadiness(asyncio.get_running_loop()))
        scenario(FirstBytes(cast("Services", services), judged))
        await asyncio.sleep(0.03)

    asyncio.run(inside())


def test_no_tls_goes_on_as_it_is() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        data = memoryview(b"GET / HTTP/1.1")
        assert first.take(data, judged.too_late) is data
        assert first._reader is None  # and it cost nothing

    looking(scenario, judged)
    assert judged.seen == []


def test_a_hello_in_pieces_goes_on_as_one_and_stops_the_clock() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        assert first.take(SENT[:9], judged.too_late) is None
        assert first.take(SENT[9:20], judged.too_late) is None
        assert first.take(SENT[20:] + b"more", judged.too_late) == SENT + b"more"

    looking(scenario, judged)
    assert [shown.server_names for shown in judged.seen] == [(b"a.test",)]
    assert judged.in_time == 0


def test_what_is_refused_goes_nowhere() -> None:
    judged = Judged(passes=False)

    def scenario(first: FirstBytes) -> None:
        assert first.take(SENT, judged.too_late) is None

    looking(scenario, judged)
    looking(lambda first: refused_in_the_middle(first, judged), judged)
    assert len(judged.seen) == 2


def refused_in_the_middle(first: FirstBytes, judged: Judged) -> None:
    assert first.take(SENT[:-1], judged.too_late) is None
    assert first.give_up(is_ended=False) is None


def test_who_takes_too_long_is_waited_for_once() -> None:
    judged = Judged()
    looking(lambda first: first.take(SENT[:9], judged.too_late), judged)
    assert judged.in_time == 1


def test_giving_up_returns_what_is_kept() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        assert first.give_up(is_ended=True) == b""
        first.take(SENT[:9], judged.too_late)
        assert first.give_up(is_ended=True) == SENT[:9]
        first.close()

    looking(scenario, judged)
    assert [shown.is_whole for shown in judged.seen] == [False]
    assert judged.in_time == 0


def test_what_was_seen_is_worded_for_the_record() -> None:
    judged = Judged()
    sent = hello(names(b"A.test"), extension(16, b"\0\x05\x02h2\x01\xff"), extension(0xFE0D, b""))
    looking(lambda first: first.take(sent, judged.too_late), judged)
    where = Destination(host="b.test", port=443, protocol=Protocol.HTTPS)
    request = Request(
        destination=where,
        method="CONNECT",
        connection_id=ConnectionId("c-1"),
        client_address="unknown",
    )
    event = observed(request, judged.seen[0])
    assert (event.server_address, event.server_name) == ("b.test", "a.test")
    assert (event.alpn, event.ech, event.seen) == (("h2", "\\xff"), True, "whole")


def asking(
    scenario: Callable[[FirstBytes], object], passes: bool
) -> list[tuple[bytes, ...]]:  # what is answered
    """Where plain requests are looked for; returns the hosts that were seen."""
    seen: list[tuple[bytes, ...]] = []

    def may_ask(asked: Asked) -> bool:
        seen.append(asked.hosts)
        return passes

    async def inside() -> None:
        services = FakeServices(FakeReadiness(asyncio.get_running_loop()))
        scenario(FirstBytes(cast("Services", services), Judged(), may_ask))

    asyncio.run(inside())
    return seen


HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def test_a_plain_request_is_kept_until_its_host_is_known() -> None:
    def scenario(first: FirstBytes) -> None:
        assert first.take(HEAD[:9], lambda: None) is None
        assert first.take(HEAD[9:] + b"more", lambda: None) == HEAD + b"more"

    assert asking(scenario, passes=True) == [(b"a.test",)]


def test_one_for_another_host_goes_nowhere() -> None:
    def scenario(first: FirstBytes) -> None:
        assert first.take(HEAD, lambda: None) is None

    def given_up(first: FirstBytes) -> None:
        assert first.take(HEAD[:-2], lambda: None) is None
        assert first.give_up(is_ended=False) is None

    assert asking(scenario, passes=False) == asking(given_up, passes=False) == [(b"a.test",)]


def test_what_is_neither_goes_on_as_it_is() -> None:
    def scenario(first: FirstBytes) -> None:
        assert first.take(b"EHLO x\r\n", lambda: None) == b"EHLO x\r\n"

    def half(first: FirstBytes) -> None:
        assert first.take(b"GET", lambda: None) is None
        assert first.give_up(is_ended=True) == b"GET"

    assert asking(scenario, passes=False) == asking(half, passes=False) == []
