from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netproxy.app.export_watch import ExportWatch
from otel import AuditTrail, AuditUnavailable, FileSettings, Journal, read
from otel.cursor import Cursor
from otel.cursor import save as save_cursor
from otel.events import ExportState
from otel.export_status import save
from otel.lock import try_lock
from otel.modes import AuditMode
from tests.otel.test_export_status import NOTICE, STATUS
from tests.support.journals import decision, segment_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SINKS = (FileSettings(path="/a"), FileSettings(path="/b"))


class World:
    """A gateway's journal, and an exporter that lives as long as its lock is held."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal.open(directory)
        self.folder = directory / self.journal.writer
        self.trail = AuditTrail(self.journal, {})
        self.trail.record(decision())
        self.starts = 0
        self.revives = True
        self._lock: int | None = None
        self.watch = ExportWatch(self.trail, self.folder, SINKS, self.start)

    def start(self) -> None:
        self.starts += 1
        if self.revives:
            self.live()

    def live(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        self._lock = try_lock(descriptor, f"{SINKS[0].key}.lock")
        os.close(descriptor)

    def die(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def notices(self) -> list[tuple[object, object]]:
        return [
            (record.attributes["netproxy.export.state"], record.attributes["error.type"])
            for record in read(self.directory, print)
            if record.name == ExportState.name
        ]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.die()
    made.journal.close()


def test_what_the_exporter_left_is_on_record_once(world: World) -> None:
    world.live()
    save(world.folder, SINKS[1].key, STATUS)
    world.watch.look()
    world.watch.look()
    assert world.notices() == [("rejected", "old")]
    assert world.starts == 0


def test_a_dead_exporter_is_revived_and_a_second_death_told(world: World) -> None:
    world.watch.look()
    assert world.starts == 1
    assert world.notices() == []
    world.revives = False
    world.die()
    world.watch.look()
    world.watch.look()
    assert world.notices() == [("stalled", "exporter_died")] * len(SINKS)
    world.live()
    world.watch.look()
    assert world.notices()[2:] == [("recovered", "exporter_died")] * len(SINKS)
    assert world.starts == 3


def test_one_that_dies_again_and_again_is_not_revived_all_the_time(world: World) -> None:
    world.revives = False
    waits = []
    for _ in range(10):
        world.watch.look()
        waits.append(world.watch._wait_seconds)
    assert waits[:3] == [10.0, 20.0, 40.0]
    assert waits[-1] == 300.0
    world.live()
    world.watch.look()
    assert world.watch._wait_seconds == 5.0


def limited(world: World, most: int, mode: AuditMode = AuditMode.WRITTEN) -> AuditTrail:
    trail = AuditTrail(world.journal, {}, mode)
    ExportWatch(trail, world.folder, SINKS, world.start, max_bytes=most).look()
    return trail


def test_too_much_that_waits_is_as_a_full_disk(world: World) -> None:
    """Only for whoever says so: the journal is durable without any sink."""
    world.live()
    for number in range(9):
        world.trail.record(decision(f"h{number}.example"))
    assert limited(world, 10_000_000).impairment is None
    assert limited(world, 1000, AuditMode.BEST_EFFORT).impairment is None
    trail = limited(world, 1000)
    assert "audit.max_unexported_bytes" in str(trail.impairment)
    with pytest.raises(AuditUnavailable, match="wait for export"):
        asyncio.run(trail.written(decision(decision="allow")))
    trail.record(decision())  # a refusal is recorded all the same
    size = segment_of(world.directory, world.journal.writer).stat().st_size
    for sink in SINKS:
        save_cursor(world.folder, sink.key, Cursor(segment=1, offset=size, seq=11, hash=""))
    watch = ExportWatch(trail, world.folder, SINKS, world.start, max_bytes=1000)
    watch.look()
    assert trail.impairment is None


class _Full(AuditTrail):
    """A trail whose disk is full."""

    def record(self, event: object) -> None:
        raise AuditUnavailable("full")


def test_what_can_not_be_recorded_stays(world: World) -> None:
    world.live()
    save(world.folder, SINKS[0].key, replace(STATUS, notices=(NOTICE,)))
    full = ExportWatch(_Full(world.journal, {}), world.folder, SINKS, world.start)
    full.look()
    assert world.notices() == []
    world.watch.look()
    assert world.notices() == [("rejected", "old")]


async def _serve(world: World) -> None:
    with world.watch.running():
        assert world.starts == 1
        save(world.folder, SINKS[0].key, STATUS)


def test_the_last_look_is_at_the_end(world: World) -> None:
    asyncio.run(_serve(world))
    assert world.notices() == [("rejected", "old")]
