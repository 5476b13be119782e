"""Records of one turn of the loop are one write, in order; whoever waits is told how it went."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from otel import AuditTrail, AuditUnavailable, Journal
from otel.chain import parse
from otel.segment import Tail
from tests.support.journals import DISK_BROKEN, DISK_FULL, FailingFile, SteppingClock, decision
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class CountingFile(FailingFile):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, data: bytes) -> int:
        self.writes += 1
        return super().write(data)


class Desk:
    """A trail that writes by turns, and what became of it."""

    def __init__(self) -> None:
        self.file = CountingFile()
        self.reports: list[str] = []
        tail = Tail(number=1, size=0, torn_bytes=0, last_line=None)
        writer = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
        self.journal = Journal(
            writer=writer, segment=self.file, tail=tail, clock=SteppingClock(), locks=()
        )
        self.trail = AuditTrail(self.journal, {})

    @property
    def hosts(self) -> list[object]:
        lines = self.file.content.split(b"\n")[:-1]
        return [parse(line).attributes.get("server.address") for line in lines]


def turns(story: Callable[[Desk], Coroutine[object, object, None]]) -> Desk:
    desk = Desk()

    async def run() -> None:
        desk.trail.write_by_turns(asyncio.get_running_loop(), report=desk.reports.append)
        await story(desk)
        desk.trail.write_at_once()

    asyncio.run(run())
    return desk


def test_many_share_one_write_and_keep_their_order() -> None:
    async def story(desk: Desk) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(desk.trail.written(decision(f"h{number}.example")))
        assert desk.file.writes == 1

    desk = turns(story)
    assert desk.hosts == [f"h{number}.example" for number in range(5)]


def test_whoever_waits_goes_on_only_when_it_is_in_the_file() -> None:
    async def story(desk: Desk) -> None:
        waiting = asyncio.ensure_future(desk.trail.written(decision("a.example")))  # ended here
        assert not desk.hosts
        await waiting
        assert desk.hosts == ["a.example"]

    turns(story)


def test_what_nobody_waits_for_is_written_in_the_same_turn() -> None:
    async def story(desk: Desk) -> None:
        desk.trail.record_soon(decision("a.example"))
        assert not desk.hosts
        await asyncio.sleep(0)
        assert desk.hosts == ["a.example"]

    turns(story)


def test_what_must_be_written_at_once_comes_after_what_waited() -> None:
    async def story(desk: Desk) -> None:
        desk.trail.record_soon(decision("a.example"))
        desk.trail.record(decision("b.example"))
        assert desk.hosts == ["a.example", "b.example"]

    turns(story)


def test_the_end_of_the_turns_writes_what_waits() -> None:
    async def story(desk: Desk) -> None:
        desk.trail.record_soon(decision("a.example"))

    desk = turns(story)
    assert desk.hosts == ["a.example"]
    desk.trail.record_soon(decision("b.example"))
    assert desk.hosts == ["a.example", "b.example"]


def test_a_journal_that_is_closed_first_writes_what_waits() -> None:
    async def story(desk: Desk) -> None:
        desk.trail.record_soon(decision("a.example"))
        desk.journal.close()
        assert desk.hosts == ["a.example"]

    turns(story)


def test_a_write_that_fails_is_told_to_all_of_them_and_admitted_later() -> None:
    lost: list[str] = []

    async def story(desk: Desk) -> None:
        desk.file.write_error = DISK_FULL
        desk.trail.record_soon(decision("a.example"), lost=lambda: lost.append("a"))
        desk.trail.record_soon(decision("b.example"))
        with pytest.raises(AuditUnavailable, match="not written"):
            await desk.trail.written(decision("c.example"))
        assert lost == ["a"]
        desk.file.write_error = None
        await desk.trail.written(decision("d.example"))

    desk = turns(story)
    assert desk.hosts == [None, "d.example"]
    gap = parse(desk.file.content.split(b"\n")[0])
    assert gap.attributes["netproxy.gap.lost"] == 3
    assert desk.journal.last_seq == 2
    (report,) = desk.reports
    assert "3 events could not be recorded" in report


def test_half_a_write_leaves_no_part_of_any_of_them() -> None:
    async def story(desk: Desk) -> None:
        desk.file.takes = 900  # the first, and a part of the second
        desk.trail.record_soon(decision("a.example"))
        with pytest.raises(AuditUnavailable, match="disk full"):
            await desk.trail.written(decision("b.example"))
        assert desk.file.content == b""

    turns(story)


def test_one_that_gave_up_waiting_does_not_disturb_the_others() -> None:
    async def story(desk: Desk) -> None:
        gone = asyncio.ensure_future(desk.trail.written(decision("a.example")))  # ended here
        await asyncio.sleep(0)
        # It waits, and the turn is not over: cancel it before.
        other = asyncio.ensure_future(desk.trail.written(decision("b.example")))  # ended here
        gone.cancel()
        await other
        assert desk.hosts == ["a.example", "b.example"]

    turns(story)


def test_all_trails_of_a_journal_have_the_same_turns() -> None:
    async def story(desk: Desk) -> None:
        run = desk.trail.with_attributes(**{"execution.id": "r-1"})
        run.record_soon(decision("a.example"))
        await desk.trail.written(decision("b.example"))
        assert desk.file.writes == 1

    assert turns(story).hosts == ["a.example", "b.example"]


def test_what_a_broken_journal_refuses_is_refused_at_once() -> None:
    async def story(desk: Desk) -> None:
        desk.journal.close()
        with pytest.raises(AuditUnavailable, match="closed"):
            desk.trail.record_soon(decision())
        with pytest.raises(AuditUnavailable):
            await desk.trail.written(decision())

    turns(story)


class Told:
    """Who was called back, and with what."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None]] = []

    def as_(self, name: str) -> Callable[[AuditUnavailable | None], None]:
        return lambda problem: self.calls.append((name, problem.error_type if problem else None))


def test_whoever_left_a_callback_is_called_in_order_when_all_is_in_the_file() -> None:
    told = Told()

    async def story(desk: Desk) -> None:
        seen: list[int] = []
        for name in "abc":
            desk.trail.record_then(decision(f"{name}.example"), told.as_(name))
        desk.trail.record_then(decision(), lambda _: seen.append(len(desk.hosts)))
        assert (told.calls, desk.hosts) == ([], [])
        await asyncio.sleep(0)
        assert told.calls == [("a", None), ("b", None), ("c", None)]
        assert seen == [4]
        assert desk.file.writes == 1

    turns(story)


def test_a_callback_is_told_what_kept_its_record_from_the_file() -> None:
    told = Told()

    async def story(desk: Desk) -> None:
        desk.file.write_error = DISK_FULL
        desk.trail.record_then(decision("a.example"), told.as_("a"))
        desk.trail.record_then(decision("b.example"), told.as_("b"))
        await asyncio.sleep(0)
        assert told.calls == [("a", "ENOSPC"), ("b", "ENOSPC")]

    desk = turns(story)
    (report,) = desk.reports
    assert "2 events could not be recorded" in report


def test_a_callback_after_lost_events_is_called_behind_their_gap() -> None:
    told = Told()

    async def story(desk: Desk) -> None:
        desk.file.write_error = DISK_BROKEN
        with pytest.raises(AuditUnavailable):
            desk.trail.record(decision("a.example"))
        desk.trail.record_then(decision("b.example"), told.as_("b"))
        await asyncio.sleep(0)
        assert told.calls == [("b", "EIO")]
        desk.file.write_error = None
        desk.trail.record_then(decision("c.example"), told.as_("c"))
        assert desk.file.content == b""
        await asyncio.sleep(0)
        assert told.calls == [("b", "EIO"), ("c", None)]
        assert desk.hosts == [None, "c.example"]

    desk = turns(story)
    assert parse(desk.file.content.split(b"\n")[0]).attributes["netproxy.gap.lost"] == 2


def test_without_turns_a_callback_is_called_at_once() -> None:
    told = Told()
    desk = Desk()
    desk.trail.record_then(decision("a.example"), told.as_("a"))
    assert (told.calls, desk.hosts) == ([("a", None)], ["a.example"])
    desk.journal.close()
    desk.trail.record_then(decision("b.example"), told.as_("b"))
    assert told.calls[1:] == [("b", "unavailable")]


def test_what_is_written_early_calls_nobody_from_within() -> None:
    """Somebody records in the middle of its own work: another's may not begin there."""
    told = Told()

    async def story(desk: Desk) -> None:
        desk.trail.record_then(decision("a.example"), told.as_("a"))
        desk.trail.record(decision("b.example"))
        assert desk.hosts == ["a.example", "b.example"]
        assert told.calls == []
        await asyncio.sleep(0)
        assert told.calls == [("a", None)]

    turns(story)


def test_a_callback_that_fails_is_reported_and_stops_no_other() -> None:
    told = Told()

    def fail(_: AuditUnavailable | None) -> None:
        raise ValueError("bug")

    async def story(desk: Desk) -> None:
        desk.trail.record_then(decision(), fail)
        desk.trail.record_then(decision(), told.as_("b"))
        waiting = asyncio.ensure_future(desk.trail.written(decision()))  # ended here
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
        assert told.calls == [("b", None)]

    desk = turns(story)
    assert desk.reports == ["netproxy: a connection failed inside the gateway: ValueError('bug')"]


def test_what_a_callback_records_is_the_next_turns() -> None:
    told = Told()

    async def story(desk: Desk) -> None:
        desk.trail.record_then(
            decision("a.example"),
            lambda _: desk.trail.record_then(decision("b.example"), told.as_("b")),
        )
        await asyncio.sleep(0)
        assert (desk.hosts, told.calls) == (["a.example"], [])
        await asyncio.sleep(0)
        assert (desk.hosts, told.calls) == (["a.example", "b.example"], [("b", None)])

    turns(story)


def test_the_end_of_the_turns_calls_back_whoever_waits() -> None:
    """What they record then has no turn any more: it is written at once."""
    told = Told()

    async def story(desk: Desk) -> None:
        desk.trail.record_then(
            decision("a.example"),
            lambda _: desk.trail.record_then(decision("b.example"), told.as_("b")),
        )
        desk.trail.write_at_once()
        assert desk.hosts == ["a.example", "b.example"]
        assert told.calls == [("b", None)]

    turns(story)


def test_an_event_that_can_not_be_spelled_leaves_nobody_waiting() -> None:
    """A mistake of ours: all of its turn are lost, are told so, and the trail admits it."""
    told = Told()

    async def story(desk: Desk) -> None:
        desk.trail.record_then(decision("a.example"), told.as_("a"))
        desk.trail.record_soon(decision(cast("str", object())))
        with pytest.raises(AuditUnavailable, match="not JSON serializable"):
            await desk.trail.written(decision("b.example"))
        assert told.calls == [("a", "unavailable")]
        await desk.trail.written(decision("c.example"))
        assert desk.hosts == [None, "c.example"]

    desk = turns(story)
    assert parse(desk.file.content.split(b"\n")[0]).attributes["netproxy.gap.lost"] == 3
