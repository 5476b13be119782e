"""The journal's disk hangs instead of failing: the loop goes on, and nobody waits for ever.

Two seconds are too long for a test: here the gateway's patience is a fraction of one. Who waits for
the disk waits at least that long, by a clock that a busy machine doesn't push (`FairClock`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from netproxy.connection.gate import Gate
from netproxy.model import ConnectionId, Destination, Protocol, Request, Verdict
from otel import AuditMode, AuditTrail, AuditUnavailable
from otel.events import GatewayStopped
from tests.support.disks import PATIENCE_SECONDS, Disk, journal_on
from tests.support.fair_clock import FairClock
from tests.support.fakes import FakeApprover, FakeCache, FakePolicy, FakeToken
from tests.support.journals import decision

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

HANG_SECONDS = 0.4
# A tick of the loop is due every millisecond.
FROZEN_SECONDS = 0.3


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for name in ("waits", "journal", "desk"):
        monkeypatch.setattr(f"otel.{name}.HANG_SECONDS", seconds)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, HANG_SECONDS)
    for name in ("lane", "flusher"):
        monkeypatch.setattr(f"otel.{name}._STOP_SECONDS", HANG_SECONDS)
    monkeypatch.setattr("otel.journal._SLOW_SECONDS", 0.02)
    monkeypatch.setattr("otel.desk._PATIENCE_SECONDS", 0.02)


class Gateway:
    """A gate whose decisions go to a disk that a test lets hang."""

    def __init__(self, mode: AuditMode) -> None:
        self.disk = Disk()
        self.journal = journal_on(self.disk)
        self.trail = AuditTrail(self.journal, {}, mode)
        self.longest_seconds = 0.0

    def gate(self, verdict: Verdict) -> Gate:
        return Gate(
            policy=FakePolicy(verdict),
            cache=FakeCache(),
            approver=FakeApprover(),
            audit=self.trail,
            token=FakeToken(),
        )

    async def admit(self, verdict: Verdict, connection: str) -> str:
        request = Request(
            destination=Destination(host="a.test", port=443, protocol=Protocol.HTTPS),
            method="CONNECT",
            connection_id=ConnectionId(connection),
            client_address="127.0.0.1:1",
        )
        return (await self.gate(verdict).admit(request)).reason.value

    async def hang(self) -> None:
        """A sync is on its way when it begins, as there is whenever something was written."""
        self.disk.hang_syncs()
        self.trail.record(decision("first.example"))
        while not self.disk.syncing.acquire(blocking=False):
            await asyncio.sleep(0.001)
        self.disk.hang()
        await asyncio.sleep(0.03)  # until that is taken for slow

    async def recorded(self, count: int) -> None:
        """Until the disk has so many records."""
        while self.disk.contents[1].count(b"\n") < count:
            await asyncio.sleep(0.001)

    async def tick(self) -> None:
        clock = FairClock()
        while True:
            await asyncio.sleep(0.001)
            self.longest_seconds = max(self.longest_seconds, clock())
            clock.restart()

    @property
    def decisions(self) -> list[tuple[object, object]]:
        return [
            (record.attributes["connection.id"], record.attributes["network.policy.reason"])
            for record in self.disk.records
            if record.attributes.get("server.address") == "a.test"
        ]


def serving(
    story: Callable[[Gateway], Coroutine[object, object, None]],
    mode: AuditMode = AuditMode.WRITTEN,
) -> Gateway:
    gateway = Gateway(mode)

    async def run() -> None:
        gateway.trail.start_syncing()
        gateway.trail.write_by_turns(asyncio.get_running_loop(), report=lambda _: None)
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(gateway.tick())
            try:
                await story(gateway)
            finally:
                ticking.cancel()
                gateway.disk.answer()
        gateway.trail.write_at_once()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))
    gateway.journal.close()
    assert "audit.gap" not in gateway.disk.names or mode is AuditMode.BEST_EFFORT
    return gateway


@pytest.mark.parametrize("mode", [AuditMode.WRITTEN, AuditMode.STRICT])
def test_an_allow_is_refused_after_a_while_and_the_loop_goes_on(mode: AuditMode) -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.hang()
        gateway.longest_seconds = 0.0
        began = time.monotonic()
        assert await gateway.admit(Verdict.ALLOW, "c-1") == "audit_unavailable"
        assert time.monotonic() - began >= HANG_SECONDS - 0.05
        assert gateway.longest_seconds < FROZEN_SECONDS
        gateway.disk.answer()
        await gateway.recorded(3)

    gateway = serving(story, mode)
    # What came late is overruled by what was done: the last one of a connection.id.
    assert gateway.decisions == [("c-1", "allowed_by_rule"), ("c-1", "audit_unavailable")]


def test_once_it_is_known_to_hang_nobody_waits() -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.hang()
        await asyncio.sleep(HANG_SECONDS)
        assert gateway.trail.impairment is not None
        assert "has not answered" in gateway.trail.impairment
        clock = FairClock()
        for number in range(20):
            refused = await gateway.admit(Verdict.ALLOW, f"c-{number}")
            assert refused == "audit_unavailable"
        assert clock() < HANG_SECONDS
        gateway.disk.answer()
        await gateway.recorded(41)
        while gateway.trail.impairment:  # the last of them is written, and not yet told
            await asyncio.sleep(0.001)
        assert await gateway.admit(Verdict.ALLOW, "c-20") == "allowed_by_rule"

    serving(story)


def test_a_deny_is_answered_at_once_and_recorded_late() -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.hang()
        gateway.longest_seconds = 0.0
        clock = FairClock()
        for number in range(50):
            assert await gateway.admit(Verdict.DENY, f"c-{number}") == "denied_by_rule"
        assert clock() < FROZEN_SECONDS
        gateway.disk.answer()

    gateway = serving(story)
    assert [name for name, _ in gateway.decisions] == [f"c-{number}" for number in range(50)]


def test_best_effort_goes_on_and_loses_nothing_to_a_disk_that_comes_back() -> None:
    async def story(gateway: Gateway) -> None:
        await gateway.hang()
        assert await gateway.admit(Verdict.ALLOW, "c-1") == "allowed_by_rule"
        gateway.disk.answer()

    gateway = serving(story, AuditMode.BEST_EFFORT)
    assert gateway.decisions == [("c-1", "allowed_by_rule")]
    assert "audit.gap" not in gateway.disk.names


def test_best_effort_counts_exactly_what_memory_had_no_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otel.lane._MOST_RECORDS", 5)

    async def story(gateway: Gateway) -> None:
        await gateway.hang()
        await asyncio.sleep(HANG_SECONDS)
        for number in range(12):
            assert await gateway.admit(Verdict.ALLOW, f"c-{number}") == "allowed_by_rule"
        gateway.disk.answer()
        await gateway.recorded(6)
        assert await gateway.admit(Verdict.ALLOW, "c-last") == "allowed_by_rule"

    gateway = serving(story, AuditMode.BEST_EFFORT)
    (gap,) = [record for record in gateway.disk.records if record.name.endswith("audit.gap")]
    assert gap.attributes["netproxy.gap.lost"] == 12 - 5
    assert len(gateway.decisions) == 5 + 1


def test_a_slow_disk_is_no_disk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Less than all syncs together, and far more than a busy machine adds to one of them.
    patience(monkeypatch, 1.0)

    async def story(gateway: Gateway) -> None:
        gateway.disk.sync_seconds = 0.08
        for number in range(30):
            assert await gateway.admit(Verdict.ALLOW, f"c-{number}") == "allowed_by_rule"
            gateway.trail.record(decision())
            await asyncio.sleep(0.005)
        gateway.trail.record_synced(decision("answer.example"))
        gateway.disk.sync_seconds = 0.0
        assert gateway.longest_seconds < FROZEN_SECONDS + 2 * 0.08

    gateway = serving(story)
    assert len(gateway.decisions) == 30


def test_an_answer_that_can_not_be_synced_is_told_so() -> None:
    async def story(gateway: Gateway) -> None:
        gateway.disk.hang_syncs()
        with pytest.raises(AuditUnavailable, match="does not answer"):
            gateway.trail.record_synced(decision("answer.example"))
        gateway.disk.answer()

    serving(story)


def test_the_end_of_the_process_does_not_wait_for_it() -> None:
    disk = Disk()
    journal = journal_on(disk)
    trail = AuditTrail(journal, {})
    trail.start_syncing()
    trail.record(decision())
    disk.hang()
    clock = FairClock()
    with pytest.raises(AuditUnavailable):
        trail.record(GatewayStopped())
    with pytest.raises(AuditUnavailable, match="does not answer"):
        journal.close()
    assert clock() < 8 * HANG_SECONDS
    assert not disk.closed, "a write that hangs may go through yet: nobody else may have the folder"
    disk.answer()
    for thread in threading.enumerate():
        if thread.name.startswith("journal-"):
            thread.join(PATIENCE_SECONDS)
