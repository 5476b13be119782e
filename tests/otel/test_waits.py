"""Strict mode, and a slow disk: whoever waits is told when it is so, or that it is not."""

from __future__ import annotations

import asyncio
import errno
from functools import partial
from typing import TYPE_CHECKING

import pytest

from otel import AuditMode, AuditTrail, AuditUnavailable
from tests.support.disks import PATIENCE_SECONDS, Disk, journal_on
from tests.support.fair_clock import FairClock
from tests.support.journals import decision
from tests.support.loops import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from otel import Journal


class Strict:
    """A trail in strict mode whose disk syncs in a thread."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.journal: Journal = journal_on(self.disk)
        self.trail = AuditTrail(self.journal, {}, AuditMode.STRICT)
        self.reports: list[str] = []


def strictly(story: Callable[[Strict], Coroutine[object, object, None]]) -> Strict:
    strict = Strict()

    async def run() -> None:
        strict.journal.start_syncing(gathers=False)
        strict.trail.write_by_turns(asyncio.get_running_loop(), report=strict.reports.append)
        try:
            await story(strict)
        finally:
            strict.disk.answer()
            strict.trail.write_at_once()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))
    strict.journal.close()
    return strict


async def syncing(disk: Disk) -> None:
    """Until the next sync has begun."""
    while not disk.syncing.acquire(blocking=False):
        await asyncio.sleep(0.001)


def test_whoever_waits_goes_on_only_when_it_is_on_the_disk() -> None:
    async def story(strict: Strict) -> None:
        await strict.trail.written(decision("a.example"))
        assert strict.disk.survivors(len(strict.disk.log))[1].count(b"\n") == 1

    strictly(story)


def test_those_who_come_while_it_syncs_share_the_next_one() -> None:
    async def story(strict: Strict) -> None:
        disk = strict.disk
        disk.hang_syncs()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(strict.trail.written(decision("a.example")))
            await syncing(disk)
            others = [group.create_task(strict.trail.written(decision())) for _ in range(9)]
            await until(lambda: len(disk.records) == 10)
            assert not first.done()
            disk.answer()
        assert all(other.done() for other in others)
        assert disk.syncs == 2

    strictly(story)


def test_a_callback_comes_in_order_and_by_the_loop() -> None:
    async def story(strict: Strict) -> None:
        told: list[str] = []
        done = asyncio.Event()

        def tell(name: str, _: AuditUnavailable | None) -> None:
            told.append(name)

        for name in "abc":
            strict.trail.record_then(decision(f"{name}.example"), partial(tell, name))
        strict.trail.record_then(decision(), lambda _: done.set())
        await asyncio.sleep(0)
        await done.wait()
        assert told == ["a", "b", "c"]

    strictly(story)


def test_a_failed_sync_costs_nobody_their_yes() -> None:
    """The records are on the disk in the next segment."""

    async def story(strict: Strict) -> None:
        strict.disk.sync_errors = [errno.EIO]
        await strict.trail.written(decision("a.example"))
        assert strict.disk.survivors(len(strict.disk.log))[2].count(b"\n") == 1

    strict = strictly(story)
    assert strict.disk.hosts == ["a.example"]


def test_a_sync_that_fails_for_good_is_a_no() -> None:
    async def story(strict: Strict) -> None:
        strict.disk.sync_errors, strict.disk.begin_error = [errno.EIO], errno.EROFS
        with pytest.raises(AuditUnavailable):
            await strict.trail.written(decision("a.example"))
        strict.disk.begin_error = None

    strictly(story)


def test_a_sync_that_hangs_is_a_no_after_a_while_and_then_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(strict: Strict) -> None:
        await strict.trail.written(decision("a.example"))
        await syncing(strict.disk)
        strict.disk.hang_syncs()
        strict.trail.record_soon(decision("b.example"))
        await syncing(strict.disk)
        strict.disk.hang()
        # Only now: what came before had to be done in time.
        for name in ("otel.waits.HANG_SECONDS", "otel.journal.HANG_SECONDS"):
            monkeypatch.setattr(name, 0.1)
        await asyncio.sleep(0.06)  # it is seen to be slow
        with pytest.raises(AuditUnavailable) as caught:
            await strict.trail.written(decision("c.example"))
        assert caught.value.error_type == "timeout"
        await until(lambda: strict.trail.impairment)
        clock = FairClock()
        with pytest.raises(AuditUnavailable):
            await strict.trail.written(decision("d.example"))
        assert clock() < 0.1
        monkeypatch.undo()
        strict.disk.answer()

    strict = strictly(story)
    assert strict.disk.hosts == [f"{name}.example" for name in "abcd"]


def test_the_end_of_the_loop_tells_those_who_wait() -> None:
    told: list[AuditUnavailable | None] = []

    async def story(strict: Strict) -> None:
        strict.trail.record_then(decision("a.example"), told.append)
        await asyncio.sleep(0)

    strictly(story)
    assert told == [None]
