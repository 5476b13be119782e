"""The plug is pulled: what was written since the last sync is gone.

The disk keeps a log of writes and syncs, and is looked at as it would be after each step. What
was acknowledged before that step has to be there: all of it in strict mode; in written mode all
answers and grants, and all rule-allowed records but for those of the last ten milliseconds.
"""

from __future__ import annotations

import asyncio
import errno
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from otel import AuditMode, AuditTrail, AuditUnavailable
from otel.chain import genesis, parse
from otel.events import GrantCreated
from tests.support.disks import WRITER, Disk, journal_on
from tests.support.fair_clock import FairClock
from tests.support.journals import decision

if TYPE_CHECKING:
    from otel.events import Event

ROUNDS, AT_ONCE, GRANTS = 12, 8, 6


class Promises:
    """What was acknowledged, and how far the disk's log was then."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.made: list[tuple[int, str]] = []

    def keep(self, name: str, problem: AuditUnavailable | None = None) -> None:
        assert problem is None
        self.made.append((len(self.disk.log), name))


def grant(name: str) -> Event:
    return GrantCreated(
        grant_id=name,
        approval_id="a-1",
        kind="allow",
        scope="session",
        server_address="grant.example",
        server_port=443,
        protocol="https",
    )


def survivors(disk: Disk, steps: int) -> set[str]:
    """Connections and grants on record after that; the chain up to its end has to hold."""
    found = set()
    previous = genesis(WRITER)
    contents = disk.survivors(steps)
    for number in sorted(contents):
        *lines, rest = contents[number].split(b"\n")
        assert rest == b""
        for line in lines:
            record = parse(line)
            assert record.previous == previous
            assert record.digest == record.expected_digest
            previous = record.digest
            for key in ("connection.id", "netproxy.grant.id"):
                if key in record.attributes:
                    found.add(str(record.attributes[key]))
    return found


async def decide(trail: AuditTrail, promises: Promises, *, fails: bool) -> None:
    """Several that go on by themselves, so that some come while the disk syncs; and grants."""
    async with asyncio.TaskGroup() as group:
        for each in range(AT_ONCE):
            group.create_task(client(trail, promises, each))
        for number in range(GRANTS):
            await asyncio.sleep(0.003)
            if fails and number == GRANTS // 2:
                promises.disk.sync_errors.append(errno.EIO)
            trail.record_synced(grant(f"g-{number}"))
            promises.keep(f"g-{number}")


async def client(trail: AuditTrail, promises: Promises, number: int) -> None:
    for each in range(ROUNDS):
        await asyncio.sleep(0.0003 * (number % 4))
        await allow(trail, promises, f"c-{number}-{each}")


async def allow(trail: AuditTrail, promises: Promises, name: str) -> None:
    event = decision("a.example", decision="allow")
    done = asyncio.get_running_loop().create_future()
    trail.record_then(named(event, name), partial(told, promises, name, done))
    await done


def told(
    promises: Promises,
    name: str,
    done: asyncio.Future[None],
    problem: AuditUnavailable | None,
) -> None:
    promises.keep(name, problem)
    done.set_result(None)


def named(event: Event, name: str) -> Event:
    values = dict(zip(event.fields, event, strict=True))
    return type(event)(**{**values, "connection_id": name})


def story(mode: AuditMode, *, fails: bool) -> Promises:
    disk = Disk()
    disk.sync_seconds = 0.001
    journal = journal_on(disk)
    trail = AuditTrail(journal, {}, mode)
    promises = Promises(disk)

    async def run() -> None:
        trail.start_syncing()
        trail.write_by_turns(asyncio.get_running_loop(), report=print)
        await decide(trail, promises, fails=fails)
        trail.write_at_once()

    asyncio.run(run())
    journal.close()
    return promises


@pytest.mark.parametrize("fails", [False, True], ids=["a-sound-disk", "a-sync-that-fails"])
def test_strict_loses_nothing_that_was_acknowledged(fails: bool) -> None:
    promises = story(AuditMode.STRICT, fails=fails)
    assert len(promises.made) == ROUNDS * AT_ONCE + GRANTS
    for steps in range(len(promises.disk.log) + 1):
        there = survivors(promises.disk, steps)
        missing = [name for made, name in promises.made if made <= steps and name not in there]
        assert not missing, steps


@pytest.mark.parametrize("fails", [False, True], ids=["a-sound-disk", "a-sync-that-fails"])
def test_written_loses_no_grant_and_nothing_before_the_last_sync(fails: bool) -> None:
    promises = story(AuditMode.WRITTEN, fails=fails)
    for steps in range(len(promises.disk.log) + 1):
        there = survivors(promises.disk, steps)
        missing = [name for made, name in promises.made if made <= steps and name not in there]
        assert not [name for name in missing if name.startswith("g-")], steps
        # What was acknowledged before the last sync began is on the disk with it.
        last = max(
            (step.began for step in promises.disk.log[:steps] if step.what == "sync"), default=0
        )
        assert not [name for made, name in promises.made if made <= last and name in missing], steps


def test_written_is_on_the_disk_within_ten_milliseconds() -> None:
    """The age of what a pulled plug loses."""
    disk = Disk()
    journal = journal_on(disk)
    trail = AuditTrail(journal, {})
    trail.start_syncing()
    ages = []
    clock = FairClock()
    for _ in range(20):
        clock.restart()
        trail.record(decision())
        mark = journal.written_mark
        while journal.synced_mark < mark:
            time.sleep(0.0002)
        ages.append(clock())
    journal.close()
    assert sorted(ages)[len(ages) // 2] < 0.012
