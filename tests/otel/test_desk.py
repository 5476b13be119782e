"""What several trails share: what is missing, and a disk that fills up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from otel import AuditMode, AuditTrail, AuditUnavailable
from otel.events import GatewayStopped
from otel.space import Step
from tests.support.disks import Disk, trail_on
from tests.support.journals import DISK_BROKEN, decision

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

KIB = 1024


def by_turns(
    disk: Disk,
    story: Callable[[AuditTrail, list[str]], Coroutine[object, object, None]],
    mode: AuditMode = AuditMode.WRITTEN,
) -> AuditTrail:
    trail = trail_on(disk, mode)

    async def run() -> None:
        reports: list[str] = []
        trail.write_by_turns(asyncio.get_running_loop(), report=reports.append)
        await story(trail, reports)
        trail.write_at_once()

    asyncio.run(run())
    return trail


async def fill(trail: AuditTrail) -> None:
    """Allow until that is refused."""
    with pytest.raises(AuditUnavailable) as caught:
        await allow_many(trail)
    assert caught.value.error_type in {"ENOSPC", "short_write"}


async def allow_many(trail: AuditTrail) -> None:
    for _ in range(300):
        await trail.written(decision("a.example", decision="allow"))


def test_a_full_disk_leaves_room_for_last_words_and_no_more() -> None:
    disk = Disk(capacity=80 * KIB)

    async def story(trail: AuditTrail, reports: list[str]) -> None:
        await fill(trail)
        assert trail.impairment == "the audit disk is full"
        before = len(disk.records)
        with pytest.raises(AuditUnavailable, match="the audit disk is full"):
            await trail.written(decision("b.example", decision="allow"))
        trail.record(decision("c.example"))
        trail.record(GatewayStopped())
        assert disk.names[before - 2 : before] == ["audit.gap", "audit.space"]
        assert disk.names[before:] == ["policy_decision", "gateway.stopped"]
        gap, space = (record.attributes for record in disk.records[before - 2 : before])
        assert gap["netproxy.gap.lost"] == 1
        assert space["netproxy.journal.space"] == "full"
        assert "netproxy: the audit disk is full: what needs a record is refused" in reports

    by_turns(disk, story)


def test_without_a_loop_the_first_that_does_not_fit_still_fits() -> None:
    disk = Disk(capacity=40 * KIB)
    trail = trail_on(disk)
    while trail._desk.step is Step.OK:
        trail.record(decision())
    assert disk.names[-2:] == ["audit.space", "policy_decision"]
    assert "audit.gap" not in disk.names


def test_a_disk_that_has_room_again_is_used_again() -> None:
    disk = Disk(capacity=80 * KIB)

    async def story(trail: AuditTrail, reports: list[str]) -> None:
        await fill(trail)
        disk.capacity = 800 * KIB
        room = trail._desk._room
        assert room is not None
        room._next_look = 0.0
        await trail.written(decision("b.example", decision="allow"))
        assert disk.ballast > 0
        assert trail.impairment is None
        spaces = [r.attributes for r in disk.records if r.name == "netproxy.audit.space"]
        assert [space["netproxy.journal.space"] for space in spaces] == ["full", "ok"]
        assert disk.hosts[-1] == "b.example"
        assert reports[-1].startswith("netproxy: the audit disk has room again")

    by_turns(disk, story)


def test_the_steps_before_that_are_told() -> None:
    disk = Disk(capacity=80 * KIB)

    async def story(trail: AuditTrail, reports: list[str]) -> None:
        disk.contents[9] = b"x" * 48 * KIB
        room = trail._desk._room
        assert room is not None
        room._next_look = 0.0
        trail._desk._look_behind()
        await asyncio.sleep(0)
        del disk.contents[9]
        assert disk.names == ["audit.space"]
        assert "the audit disk gets full" in reports[0]

    by_turns(disk, story)


def test_what_is_lost_on_its_way_is_admitted_with_the_gap_that_was_to_admit_others() -> None:
    disk = Disk()

    async def story(trail: AuditTrail, _: list[str]) -> None:
        disk.write_error = DISK_BROKEN
        for host in ("a.example", "b.example"):
            with pytest.raises(AuditUnavailable):
                await trail.written(decision(host))
        disk.write_error = None
        trail.record_soon(decision("c.example"))

    by_turns(disk, story)
    assert disk.hosts == [None, "c.example"]
    gap = disk.records[0].attributes
    assert gap["netproxy.gap.lost"] == 2
    assert str(gap["netproxy.gap.from_time"]) < str(gap["netproxy.gap.to_time"])


def test_best_effort_goes_on_and_counts_exactly() -> None:
    disk = Disk()
    told: list[AuditUnavailable | None] = []
    cut: list[str] = []

    async def story(trail: AuditTrail, _: list[str]) -> None:
        disk.write_error = DISK_BROKEN
        await trail.written(decision())
        trail.record_then(decision(), told.append)
        trail.record_soon(decision(), lost=lambda: cut.append("cut"))
        await asyncio.sleep(0)
        trail.record(decision())
        trail.record_synced(decision())
        disk.write_error = None
        await trail.written(decision("last.example"))

    by_turns(disk, story, AuditMode.BEST_EFFORT)
    assert told == [None]
    assert cut == []
    assert disk.hosts == [None, "last.example"]
    assert disk.records[0].attributes["netproxy.gap.lost"] == 5


def test_best_effort_goes_on_when_the_disk_is_full() -> None:
    disk = Disk(capacity=40 * KIB)

    async def story(trail: AuditTrail, reports: list[str]) -> None:
        await allow_many(trail)
        full = "netproxy: the audit disk is full: "
        assert [each.removeprefix(full) for each in reports if each.startswith(full)] == [
            "what is allowed goes on without a record"
        ]
        assert any(each.startswith("netproxy: 1 event could not be") for each in reports)
        disk.capacity = 800 * KIB
        room = trail._desk._room
        assert room is not None
        room._next_look = 0.0
        await trail.written(decision("last.example"))

    by_turns(disk, story, AuditMode.BEST_EFFORT)
    lost = sum(
        number
        for record in disk.records
        if isinstance(number := record.attributes.get("netproxy.gap.lost"), int)
    )
    assert disk.names.count("policy_decision") + lost == 301


def test_losses_are_told_once_a_second() -> None:
    disk = Disk()

    async def story(trail: AuditTrail, reports: list[str]) -> None:
        disk.write_error = DISK_BROKEN
        for _ in range(5):
            trail.record_soon(decision())
            await asyncio.sleep(0)
        assert len(reports) == 1
        trail._desk._tell_at = 0.0
        trail.record_soon(decision())
        await asyncio.sleep(0)
        assert [report.split()[1] for report in reports] == ["1", "5"]
        disk.write_error = None

    by_turns(disk, story)
