from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, AuditUnavailable, Journal
from otel.chain import Record, parse
from otel.events import GatewayStopped, PolicyDecision
from otel.segment import Tail
from tests.support.journals import DISK_FULL, FailingFile, SteppingClock, decision

if TYPE_CHECKING:
    from netproxy.ports import AuditSink
    from otel import Value
    from otel.events import Event


def trail_on(file: FailingFile) -> AuditTrail:
    tail = Tail(number=1, size=0, torn_bytes=0, last_line=None)
    journal = Journal(
        writer="w-01JD2QABCDEFGHJKMNPQRSTVWX",
        segment=file,
        tail=tail,
        clock=SteppingClock(),
        locks=(),
    )
    return AuditTrail(journal, {"session.id": "s-1"})


def records(file: FailingFile) -> list[Record]:
    return [parse(line) for line in file.content.split(b"\n")[:-1]]


def test_it_is_an_audit_sink() -> None:
    sink: AuditSink = trail_on(FailingFile())
    sink.record(decision())


def test_events_carry_what_they_have_in_common() -> None:
    file = FailingFile()
    trail = trail_on(file)
    shared: dict[str, Value] = {"execution.id": "r-1", "sandbox.enforced": True}
    run = trail.with_attributes(**shared)
    run.record(decision())
    trail.record(decision())
    first, second = records(file)
    assert first.attributes["session.id"] == second.attributes["session.id"] == "s-1"
    assert first.attributes["execution.id"] == "r-1"
    assert first.attributes["sandbox.enforced"] is True
    assert "execution.id" not in second.attributes


def test_the_events_own_value_wins() -> None:
    file = FailingFile()
    trail_on(file).with_attributes(**{"server.address": "other"}).record(decision("a.example"))
    assert records(file)[0].attributes["server.address"] == "a.example"


def test_an_event_is_recorded_whole() -> None:
    """Nulls too: an auditor sees that there was no rule, not that somebody forgot it."""
    file = FailingFile()
    event = decision()
    trail_on(file).record(event)
    (record,) = records(file)
    assert record.name == "netproxy.policy_decision"
    assert record.severity == event.severity == 13
    assert record.attributes == {**event.attributes(), "session.id": "s-1"}
    assert record.attributes["approval.id"] is None


def test_answers_are_on_the_disk_when_recorded() -> None:
    file = FailingFile()
    trail = trail_on(file)
    trail.record(decision())
    assert file.syncs == 0
    trail.record_synced(decision())
    assert file.syncs == 1


def test_lost_events_are_admitted_with_their_number() -> None:
    """A denial is answered even when its record can't be written: the trail must say so later."""
    file = FailingFile()
    trail = trail_on(file)
    run = trail.with_attributes(**{"execution.id": "r-1"})
    file.write_error = DISK_FULL
    for sink in (trail, run, run):
        with pytest.raises(AuditUnavailable):
            sink.record(decision())
    file.write_error = None
    trail.record(decision("b.example"))
    run.record(decision("c.example"))
    gap, second, third = records(file)
    assert gap.name == "netproxy.audit.gap"
    assert gap.attributes["netproxy.gap.lost"] == 3
    assert gap.attributes["error.type"] == "ENOSPC"
    assert [second.attributes["server.address"], third.attributes["server.address"]] == [
        "b.example",
        "c.example",
    ]


def test_watchers_see_the_events_of_their_class_from_trails_made_later() -> None:
    file = FailingFile()
    trail = trail_on(file)
    before = trail.with_attributes(**{"execution.id": "r-0"})
    seen: list[Event] = []
    also: list[Event] = []
    trail.watch({PolicyDecision: seen.append})
    trail.watch({PolicyDecision: also.append})
    run = trail.with_attributes(**{"execution.id": "r-1"})
    run.record(decision("a.example"))
    trail.record(decision("b.example"))
    before.record(decision("c.example"))
    trail.record(GatewayStopped())
    assert [event.server_address for event in seen if isinstance(event, PolicyDecision)] == [
        "a.example",
        "b.example",
    ]
    assert also == seen
    assert [record.name for record in records(file)][-1] == "netproxy.gateway.stopped"


def test_a_watcher_that_fails_keeps_nothing_from_the_record() -> None:
    """What only counts must not stop what is evidence."""

    def fails(_event: Event) -> None:
        raise RuntimeError("a mistake of ours")

    file = FailingFile()
    trail = trail_on(file)
    reports: list[str] = []
    trail.watch({PolicyDecision: fails})
    with asyncio.Runner() as runner:
        trail.write_by_turns(runner.get_loop(), report=reports.append)
        trail.record(decision())
        trail.write_at_once()
    assert len(records(file)) == 1
    (report,) = reports
    assert "netproxy.policy_decision was recorded, but not counted: RuntimeError" in report


def test_what_the_journal_did_not_take_is_counted_for_good() -> None:
    file = FailingFile()
    trail = trail_on(file)
    file.write_error = DISK_FULL
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            trail.record(decision())
    file.write_error = None
    trail.record(decision())
    assert trail.lost == 2
