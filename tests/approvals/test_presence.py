from __future__ import annotations

import asyncio

from approvals.presence import POLLING_SECONDS, Presence
from tests.support.virtual_time import VirtualClock, run_virtual


def test_a_stream_counts_as_long_as_it_is_open() -> None:
    async def main() -> list[bool]:
        presence = Presence(VirtualClock())
        there = [presence.anybody]
        with presence.attached(), presence.attached():
            there.append(presence.anybody)
        return [*there, presence.anybody]

    assert run_virtual(main()) == [False, True, False]


def test_who_polls_counts_for_a_while() -> None:
    async def main() -> list[bool]:
        presence = Presence(VirtualClock())
        presence.polled()
        await asyncio.sleep(POLLING_SECONDS - 1)
        there = [presence.anybody]
        await asyncio.sleep(1)
        return [*there, presence.anybody]

    assert run_virtual(main()) == [True, False]


def test_an_arrival_wakes_everybody_who_waits_for_one() -> None:
    async def main() -> None:
        presence = Presence(VirtualClock())
        waiting = [presence.arrived() for _ in range(3)]
        asyncio.get_running_loop().call_later(5, presence.polled)
        await asyncio.gather(*waiting)
        assert asyncio.get_running_loop().time() == 5
        await presence.arrived()

    run_virtual(main())
