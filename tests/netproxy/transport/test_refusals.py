"""A flood of refusals is one record a second for each cause."""

from __future__ import annotations

import asyncio

from netproxy.connection.overload import Overload
from netproxy.transport.refusals import Refusals
from otel.events import ClientsTurnedAway, Event


def test_sums_come_together_and_start_anew() -> None:
    events: list[Event] = []

    async def inside() -> None:
        refusals = Refusals(asyncio.get_running_loop(), events.append)
        refusals.flush()
        for number in range(1000):
            refusals.add(Overload.RATE, f"127.0.0.1:{number}")
        refusals.add(Overload.TOTAL, "127.0.0.1:7")
        assert events == []
        refusals.flush()
        refusals.flush()
        refusals.add(Overload.RATE, "127.0.0.1:8")
        assert refusals._timer is not None
        refusals._timer._run()  # as if a second had passed

    asyncio.run(inside())
    assert events == [
        ClientsTurnedAway(
            limit="connections_per_second", count=1000, client_address="127.0.0.1:999"
        ),
        ClientsTurnedAway(limit="connections_total", count=1, client_address="127.0.0.1:7"),
        ClientsTurnedAway(limit="connections_per_second", count=1, client_address="127.0.0.1:8"),
    ]
