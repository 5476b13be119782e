from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from approvals.feed import Feed, Reading
from approvals.lifecycle import Step, next_record
from approvals.model import Change, ChangeKind, Record, Status
from approvals.store.memory import MemoryStore
from tests.support.inbox import question
from tests.support.virtual_time import VirtualClock, run_virtual


def record(number: int) -> Record:
    asked = question(f"a-{number}")
    return Record(question=asked, status=Status.PENDING, version=1, answer=None)


async def ask(store: MemoryStore, number: int) -> None:
    """Two changes: asked and resolved."""
    await store.add(record(number))
    await store.replace(record(number), next_record(record(number), Step.DENY))


class Told:
    def __init__(self, store: MemoryStore) -> None:
        self.wakes = 0
        self.feed = Feed(store, VirtualClock(), self._wake)

    def _wake(self) -> None:
        self.wakes += 1


async def take(reading: Reading, count: int) -> list[tuple[int, str]]:
    return [(each.number, each.kind.value) for each in [await anext(reading) for _ in range(count)]]


def test_a_reader_gets_what_comes_and_can_go_back() -> None:
    async def main() -> None:
        store = MemoryStore()
        told = Told(store)
        await ask(store, 1)
        await told.feed.start()
        fresh, back = told.feed.read(None), told.feed.read(1)
        assert told.wakes == 2
        await ask(store, 2)
        assert [each.number for each in await told.feed.advance()] == [3, 4]
        assert await take(fresh, 2) == [(3, "asked"), (4, "resolved")]
        assert await take(back, 3) == [(2, "resolved"), (3, "asked"), (4, "resolved")]
        await ask(store, 3)
        await told.feed.advance()
        assert await take(back, 2) == await take(fresh, 2) == [(5, "asked"), (6, "resolved")]

    run_virtual(main())


def test_what_is_not_stored_is_told_to_who_reads_now() -> None:
    async def main() -> None:
        told = Told(MemoryStore())
        told.feed.tell(ChangeKind.FLOOD, "s-1")
        reading = told.feed.read(None)
        for _ in range(50):
            told.feed.tell(ChangeKind.WAITING, "a-1")
        told.feed.tell(ChangeKind.FLOOD, "s-1")
        assert await take(reading, 2) == [(0, "waiting"), (0, "flood")]
        told.feed.tell(ChangeKind.WAITING, "a-1")
        assert await take(reading, 1) == [(0, "waiting")]

    run_virtual(main())


def test_one_that_is_too_slow_is_told_to_look_at_everything_anew() -> None:
    async def main() -> None:
        reading = Reading(MemoryStore(), None, room=3)
        for number in range(1, 6):
            change = Change(number=number, kind=ChangeKind.ASKED, ref=f"a-{number}", at=0.0)
            reading.put(change)
        assert await take(reading, 2) == [(4, "resync"), (5, "asked")]

    run_virtual(main())


def test_whoever_closes_or_drops_it_is_gone() -> None:
    async def main() -> None:
        told = Told(MemoryStore())
        reading = told.feed.read(None)
        waiting = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0)
        await reading.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert [told.feed.is_read] == [False]
        dropped = told.feed.read(None)
        assert [told.feed.is_read] == [True]
        del dropped
        assert [told.feed.is_read] == [False]
        wakes = told.wakes
        told.feed.changed()
        assert told.wakes == wakes

    run_virtual(main())


def test_a_long_absence_is_replayed_page_by_page() -> None:
    async def main() -> None:
        store = MemoryStore()
        for number in range(300):
            await ask(store, number)
        told = Told(store)
        await told.feed.start()
        back = told.feed.read(0)
        assert [number for number, _ in await take(back, 600)] == list(range(1, 601))
        await store.add(replace(record(301)))
        assert len(await told.feed.advance()) == 1
        assert await take(back, 1) == [(601, "asked")]

    run_virtual(main())
