"""What waits, for how long, and what then goes on: the whole of it, or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from netproxy.config import Limits
from netproxy.model import ConnectionId, Destination, Protocol, Request
from netproxy.transport.first_bytes import FirstBytes, observed
from tests.support.hellos import EARLY_DATA, RETRIED, extension, hello, names, record

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


FIRST = hello(names(b"a.test"), RETRIED)
OTHER = hello(names(b"b.test"))
DUMMY = record(20, b"\x01")
DATA = record(23, b"sealed")


def test_a_second_hello_is_judged_where_it_says_something_else() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        assert first.take(FIRST, judged.too_late) == FIRST
        assert not first.is_over
        assert first.take(memoryview(DUMMY), judged.too_late) == DUMMY
        assert first.take(OTHER[:9], judged.too_late) is None
        assert first.take(OTHER[9:] + DATA, judged.too_late) == OTHER + DATA
        assert first.is_over

    looking(scenario, judged)
    assert [shown.server_names for shown in judged.seen] == [(b"a.test",), (b"b.test",)]

    def the_same(first: FirstBytes) -> None:
        assert first.take(FIRST, judged.too_late) == FIRST
        assert first.take(DUMMY + FIRST, judged.too_late) == DUMMY + FIRST
        assert first.is_over

    looking(the_same, judged)
    assert len(judged.seen) == 3
    assert judged.in_time == 0


def test_what_comes_with_the_first_hello_is_judged_before_any_of_it_goes_on() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        assert first.take(FIRST + DUMMY + OTHER[:-1], judged.too_late) is None
        assert first.take(OTHER[-1:], judged.too_late) == FIRST + DUMMY + OTHER

    looking(scenario, judged)
    assert [shown.server_names for shown in judged.seen] == [(b"a.test",), (b"b.test",)]

    def late(first: FirstBytes) -> None:
        assert first.take(FIRST + OTHER[:-1], judged.too_late) is None
        assert first.give_up(is_ended=False) == FIRST + OTHER[:-1]
        assert first.is_over

    looking(late, judged)
    assert [shown.is_whole for shown in judged.seen[2:]] == [True, False]


def test_what_waits_is_counted_until_it_goes_on() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        counted = [first.held_bytes]
        for part in (FIRST[:9], FIRST[9:], DUMMY + OTHER[:9], OTHER[9:]):
            first.take(part, judged.too_late)
            counted.append(first.held_bytes)
        assert counted == [0, 9, 0, len(DUMMY) + 9, 0]

    looking(scenario, judged)


def test_behind_what_no_second_hello_follows_nothing_is_looked_at() -> None:
    judged = Judged()
    key_exchange = record(22, b"\x10\0\0\0")
    for sent in (FIRST + DATA + OTHER, FIRST + key_exchange + OTHER, SENT + OTHER):

        def at_once(first: FirstBytes, sent: bytes = sent) -> None:
            assert first.take(sent, judged.too_late) == sent
            assert first.is_over

        def in_turn(first: FirstBytes, sent: bytes = sent) -> None:
            begun = sent.index(b"\x16", 5) if sent.startswith(SENT) else len(FIRST)
            first.take(sent[:begun], judged.too_late)
            if not first.is_over:
                assert first.take(sent[begun:], judged.too_late) == sent[begun:]
            assert first.is_over

        looking(at_once, judged)
        looking(in_turn, judged)
    assert {shown.server_names for shown in judged.seen} == {(b"a.test",)}


def test_a_second_hello_may_come_behind_early_data() -> None:
    judged = Judged()

    def scenario(first: FirstBytes) -> None:
        begun = hello(names(b"a.test"), RETRIED, EARLY_DATA) + DUMMY + DATA
        assert first.take(begun, judged.too_late) == begun
        assert first.take(DATA + OTHER, judged.too_late) == DATA + OTHER

    looking(scenario, judged)
    assert [shown.server_names for shown in judged.seen] == [(b"a.test",), (b"b.test",)]


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
