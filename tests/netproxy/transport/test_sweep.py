"""One timer for everybody: each is asked, the loop has its turn, and alone there is no timer."""

from __future__ import annotations

import asyncio

from netproxy.transport.sweep import Sweep


class Guest:
    def __init__(self, living: dict[Guest, None], *, leaves: bool) -> None:
        self.asked: list[float] = []
        self._living = living
        self._leaves = leaves
        living[self] = None

    def expire(self, now: float) -> None:
        self.asked.append(now)
        if self._leaves:
            del self._living[self]


def test_everybody_is_asked_again_and_again_even_while_others_leave() -> None:
    async def scenario() -> tuple[list[Guest], list[Guest]]:
        living: dict[Guest, None] = {}
        leaving = [Guest(living, leaves=True) for _ in range(700)]
        staying = [Guest(living, leaves=False) for _ in range(700)]
        sweep = Sweep(asyncio.get_running_loop(), living, limit_seconds=0.04)
        sweep.wake()
        sweep.wake()
        async with asyncio.timeout(10):
            while any(len(guest.asked) < 2 for guest in staying):  # again
                await asyncio.sleep(0.01)
        sweep.stop()
        return leaving, staying

    leaving, staying = asyncio.run(scenario())
    assert {len(guest.asked) for guest in leaving} == {1}
    assert all(len(guest.asked) > 1 for guest in staying)


def test_many_are_asked_in_slices_between_which_others_have_their_turn() -> None:
    async def scenario() -> list[int]:
        living: dict[Guest, None] = {}
        guests = [Guest(living, leaves=False) for _ in range(1000)]
        sweep = Sweep(asyncio.get_running_loop(), living, limit_seconds=0.008)
        sweep.wake()
        seen = []
        while not all(guest.asked for guest in guests):
            await asyncio.sleep(0)
            seen.append(sum(bool(guest.asked) for guest in guests))
        sweep.stop()
        return seen

    assert {0, 256, 512, 768} <= set(asyncio.run(scenario()))


def test_without_anybody_there_is_no_timer() -> None:
    async def scenario() -> None:
        living: dict[Guest, None] = {}
        sweep = Sweep(asyncio.get_running_loop(), living, limit_seconds=0.008)
        guest = Guest(living, leaves=True)
        sweep.wake()
        await asyncio.sleep(0.02)
        assert len(guest.asked) == 1
        assert sweep._timer is None
        sweep.stop()
        Guest(living, leaves=True)
        sweep.wake()
        sweep.stop()
        await asyncio.sleep(0.02)
        assert len(living) == 1

    asyncio.run(scenario())
