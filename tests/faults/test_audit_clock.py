"""The wall clock is set while the gateway runs: order is by number, and the jump is on record."""

from __future__ import annotations

import pytest

from otel import AuditTrail, Journal
from otel.chain import parse
from otel.segment import Tail
from tests.support.disks import WRITER
from tests.support.journals import FailingFile, SteppingClock, decision


class SetClock(SteppingClock):
    """A wall clock that people set."""

    def __init__(self) -> None:
        super().__init__()
        self.set_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.set_ns


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-3600, -3_600_000), (90, 90_000), (1.5, None), (-1.5, None)],
    ids=["an-hour-back", "ahead", "slewed", "slewed-back"],
)
def test_a_clock_that_was_set_is_on_record_and_the_order_stays(
    seconds: float, told: int | None
) -> None:
    file, clock = FailingFile(), SetClock()
    tail = Tail(number=1, size=0, torn_bytes=0, last_line=None)
    journal = Journal(writer=WRITER, segment=file, tail=tail, clock=clock, locks=())
    trail = AuditTrail(journal, {})
    trail.record(decision("a.example"))
    clock.set_ns = round(seconds * 10**9)
    trail.record(decision("b.example"))
    trail.record(decision("c.example"))
    records = [parse(line) for line in file.content.split(b"\n")[:-1]]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    jumps = [record for record in records if record.name == "netproxy.clock.jump"]
    if told is None:
        assert not jumps
        return
    (jump,) = jumps
    assert jump.seq == 2
    assert jump.attributes["netproxy.clock.delta_ms"] == pytest.approx(told, abs=5)
    assert records[3].mono_ns > records[2].mono_ns > records[0].mono_ns
