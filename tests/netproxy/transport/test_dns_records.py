"""Each name is on record once, and a flood of them is one record a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.connection.name_server import Outcome
from netproxy.model import Verdict
from netproxy.transport.dns_records import DnsRecords
from otel.events import NameAnswered, NameFlood, NameRefused
from tests.support.fakes import judgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.events import Event

FIRST = b"\xc6\x12\0\1"


def recorded(scenario: Callable[[DnsRecords], None], *, most: int = 10) -> list[Event]:
    events: list[Event] = []

    async def inside() -> None:
        records = DnsRecords(asyncio.get_running_loop(), events.append, most=most)
        scenario(records)
        records.flush()

    asyncio.run(inside())
    return events


def test_each_name_and_outcome_once() -> None:
    denied = judgement(Verdict.DENY)

    def scenario(records: DnsRecords) -> None:
        for _ in range(3):
            records.told("a.test", Outcome.ADDRESS, 1, None, FIRST)
            records.told("a.test", Outcome.REFUSED, 1, denied, None)  # the policy changed
            records.told("b.test", Outcome.REFUSED, 16, None, None)

    assert recorded(scenario) == [
        NameAnswered(server_address="a.test", answers=("198.18.0.1",)),
        NameRefused(
            server_address="a.test",
            record_type="A",
            outcome="refused",
            reason="denied_by_rule",
            explanation="a test said so",
        ),
        NameRefused(server_address="b.test", record_type="TYPE16", outcome="refused"),
    ]


def test_a_flood_is_counted() -> None:
    """A command must not fill the journal with whatever it looks up."""

    def scenario(records: DnsRecords) -> None:
        for each in range(1000):
            records.told(f"n{each}.test", Outcome.ADDRESS, 1, None, FIRST)

    events = recorded(scenario, most=10)
    assert [type(event) for event in events] == [NameAnswered] * 10 + [NameFlood]
    assert events[-1] == NameFlood(lookups=990)
    assert recorded(lambda records: records.flush()) == []
