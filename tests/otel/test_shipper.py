from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel import AuditTrail, Journal, export_status
from otel.answers import Answer, Delivered, TryLater, Unusable
from otel.backlog import Backlog
from otel.backoff import Backoff
from otel.config import ShipLimits
from otel.events import ExportState
from otel.folders import START
from otel.lifetime import Lifetime
from otel.set_aside import set_aside
from otel.shipper import Report, Shipper, warnings
from otel.status_keeper import StatusKeeper
from tests.support.journals import NOON_NS, write_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from otel import Record

SINK = "ship-x"
LIMITS = replace(ShipLimits(), batch_records=4)
OK = Delivered(rejected=0, message="")
BUSY = TryLater(why="busy")


class Time:
    """Sleeping moves the clock; the run ends at a certain time."""

    def __init__(self, run_ends: float = 0.0) -> None:
        self.now = 0.0
        self.run_ends = run_ends
        self.on_sleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()

    def lifetime(self) -> Lifetime:
        return Lifetime(
            LIMITS, lambda: self.now < self.run_ends, clock=lambda: self.now, sleep=self.sleep
        )


class FakeSink:
    """Answers from a script, then by content: `poison` numbers can't be used."""

    def __init__(self, time: Time, *script: Answer, poison: tuple[int, ...] = ()) -> None:
        self.sent: list[tuple[float, list[int]]] = []
        self.delivered: list[int] = []
        self.patience: list[float] = []
        self._time = time
        self._script = deque(script)
        self._poison = set(poison)

    def send(self, body: bytes, timeout_seconds: float) -> Answer:
        numbers = [int(number) for number in body.split()]
        self.sent.append((self._time.now, numbers))
        self.patience.append(timeout_seconds)
        answer = self._script.popleft() if self._script else self._by_content(numbers)
        if isinstance(answer, Delivered):
            self.delivered += numbers
        return answer

    def _by_content(self, numbers: list[int]) -> Answer:
        return Unusable(why="bad") if self._poison & set(numbers) else OK


def encode(records: Sequence[Record]) -> bytes:
    return b" ".join(b"%d" % record.seq for record in records)


def ship(
    directory: Path, writer: str, time: Time, sink: FakeSink, limits: ShipLimits = LIMITS
) -> tuple[Shipper, Backlog]:
    backlog = Backlog(directory / writer, SINK, start=START, limits=limits)
    shipper = Shipper(
        backlog=backlog,
        sink=sink,
        lifetime=time.lifetime(),
        backoff=Backoff(LIMITS, lambda: 1.0),
        status=StatusKeeper(
            directory / writer,
            SINK,
            label="otlp x",
            required=True,
            limits=LIMITS,
            clock=lambda: time.now,
            wall_ns=lambda: NOON_NS + int(time.now * 1e9),
        ),
        encode=encode,
        set_aside=partial(set_aside, directory / writer, SINK),
    )
    shipper.run(LIMITS.poll_seconds)
    return shipper, backlog


def test_everything_is_delivered_in_order_and_then_it_ends(tmp_path: Path) -> None:
    time = Time()
    sink = FakeSink(time)
    _, backlog = ship(tmp_path, write_journal(tmp_path, 10), time, sink)
    assert sink.delivered == list(range(1, 11))
    assert backlog.count() == 0
    assert time.now == 0


def test_it_waits_for_what_the_run_still_writes(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1)
    time = Time(run_ends=1.0)
    writes = iter([lambda: write_journal(tmp_path, 2)])
    time.on_sleep = lambda: (next(writes, lambda: None)(), None)[1]
    sink = FakeSink(time)
    ship(tmp_path, writer, time, sink)
    assert sink.delivered == [1, 2, 3]
    assert time.now == pytest.approx(1.0, abs=0.11)


def test_the_last_record_before_the_end_is_not_missed(tmp_path: Path) -> None:
    """It is written after the journal was read and before the lock was freed."""
    writer = write_journal(tmp_path, 1)
    time = Time(run_ends=0.05)
    time.on_sleep = lambda: (write_journal(tmp_path, 1), None)[1]
    sink = FakeSink(time)
    ship(tmp_path, writer, time, sink)
    assert sink.delivered == [1, 2]


def test_a_busy_collector_gets_the_same_batch_again_later(tmp_path: Path) -> None:
    time = Time()
    sink = FakeSink(time, BUSY, BUSY)
    ship(tmp_path, write_journal(tmp_path, 2), time, sink)
    assert [numbers for _, numbers in sink.sent] == [[1, 2]] * 3
    assert [at for at, _ in sink.sent] == pytest.approx([0.0, 0.25, 0.75])


def test_the_collectors_wish_is_kept(tmp_path: Path) -> None:
    time = Time()
    sink = FakeSink(time, TryLater(why="busy", after_seconds=3.0))
    ship(tmp_path, write_journal(tmp_path, 1), time, sink)
    assert sink.sent[1][0] >= 3.0


def test_a_dead_collector_ends_the_drain_in_time_and_leaves_the_rest(tmp_path: Path) -> None:
    time = Time()
    sink = FakeSink(time, *[BUSY] * 100)
    shipper, backlog = ship(tmp_path, write_journal(tmp_path, 3), time, sink)
    assert time.now == pytest.approx(LIMITS.drain_seconds, abs=0.2)
    assert backlog.count() == 3
    (line,) = warnings(shipper.report, backlog.count(), backlog.problems)
    assert line.startswith("3 records not delivered (busy)")


def test_a_request_gets_less_time_when_the_drain_ends_soon(tmp_path: Path) -> None:
    time = Time()
    sink = FakeSink(time, *[BUSY] * 100)
    ship(tmp_path, write_journal(tmp_path, 1), time, sink)
    assert sink.patience[0] == LIMITS.drain_seconds
    assert sink.patience[-1] < LIMITS.drain_seconds


def test_while_the_run_lives_nothing_is_given_up(tmp_path: Path) -> None:
    time = Time(run_ends=300.0)
    sink = FakeSink(time, *[BUSY] * 8)
    ship(tmp_path, write_journal(tmp_path, 2), time, sink)
    assert sink.delivered == [1, 2]


@pytest.mark.parametrize("poison", [(1,), (3,), (4,), (2, 3), (1, 4)])
def test_one_poisoned_record_does_not_block_the_others(
    tmp_path: Path, poison: tuple[int, ...]
) -> None:
    time = Time()
    sink = FakeSink(time, poison=poison)
    shipper, backlog = ship(tmp_path, write_journal(tmp_path, 6), time, sink)
    assert sorted(sink.delivered) == [seq for seq in range(1, 7) if seq not in poison]
    assert shipper.report.set_aside == list(poison)
    assert backlog.count() == 0
    assert any("can't use" in line for line in warnings(shipper.report, 0, set()))


def test_an_endpoint_that_refuses_everything_is_not_a_collector(tmp_path: Path) -> None:
    """Nothing is set aside for it: a wrong address must not cost the records."""
    time = Time()
    sink = FakeSink(time, poison=tuple(range(100)))
    shipper, backlog = ship(tmp_path, write_journal(tmp_path, 3), time, sink)
    assert backlog.count() == 3
    assert shipper.report.set_aside == []


def test_rejected_records_are_counted_and_not_sent_again(tmp_path: Path) -> None:
    """OTLP forbids it."""
    time = Time()
    sink = FakeSink(time, Delivered(rejected=1, message="\x1b[2Jold"))
    shipper, backlog = ship(tmp_path, write_journal(tmp_path, 3), time, sink)
    assert len(sink.sent) == 1
    (line,) = warnings(shipper.report, backlog.count(), backlog.problems)
    assert line == "the collector rejected 1 records: \\u001b[2Jold"


def test_nothing_to_say_when_all_went_well() -> None:
    assert warnings(Report(), 0, set()) == []


def kept(directory: Path, writer: str) -> list[str]:
    folder = directory / writer / "rejected" / SINK
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def states(directory: Path, writer: str) -> list[tuple[str, int, str]]:
    status = export_status.load(directory / writer, SINK)
    assert status is not None
    return [(each.state, each.rejected, each.error) for each in status.notices]


def test_what_is_set_aside_is_kept_and_told(tmp_path: Path) -> None:
    time, writer = Time(), write_journal(tmp_path, 6)
    ship(tmp_path, writer, time, FakeSink(time, poison=(3,)))
    assert kept(tmp_path, writer) == ["0000000003.jsonl"]
    assert states(tmp_path, writer) == [("rejected", 1, "bad")]


def test_of_a_partial_success_everything_is_kept(tmp_path: Path) -> None:
    """Nobody says which ones were rejected."""
    time, writer = Time(), write_journal(tmp_path, 3)
    ship(tmp_path, writer, time, FakeSink(time, Delivered(rejected=2, message="old")))
    assert kept(tmp_path, writer) == ["0000000001-0000000003.jsonl"]
    assert states(tmp_path, writer) == [("rejected", 2, "old")]


def test_what_can_not_be_kept_stays_in_the_queue(tmp_path: Path) -> None:
    """The disk is full: then nothing is acknowledged, and nothing lost."""
    time, writer = Time(), write_journal(tmp_path, 3)
    (tmp_path / writer / "rejected").touch()
    shipper, backlog = ship(tmp_path, writer, time, FakeSink(time, poison=(2,)))
    assert backlog.count() == 3
    assert "can't be kept" in shipper.report.failure


def test_a_lone_poisoned_record_waits_for_others(tmp_path: Path) -> None:
    """Whether it is the record or the endpoint, only another record can show."""
    time, writer = Time(run_ends=2.0), write_journal(tmp_path, 1)
    sleeps = iter(range(100))
    time.on_sleep = lambda: (next(sleeps) == 2 and write_journal(tmp_path, 1), None)[1]
    sink = FakeSink(time, poison=(1,))
    ship(tmp_path, writer, time, sink)
    assert sink.delivered == [2]
    assert kept(tmp_path, writer) == ["0000000001.jsonl"]


def test_an_endpoint_that_refuses_everything_is_not_asked_for_each_record(tmp_path: Path) -> None:
    time, writer = Time(), write_journal(tmp_path, 45)
    sink = FakeSink(time, poison=tuple(range(200)))
    limits = replace(LIMITS, batch_records=45)
    _, backlog = ship(tmp_path, writer, time, sink, limits)
    goes = len({at for at, _ in sink.sent})
    assert len(sink.sent) <= 33 * goes
    assert backlog.count() == 45


def test_many_poisoned_records_in_a_row_do_not_block(tmp_path: Path) -> None:
    """Fewer than a batch: then one from its other end shows that the sink takes others."""
    time, writer = Time(), write_journal(tmp_path, 45)
    sink = FakeSink(time, poison=tuple(range(1, 41)))
    shipper, backlog = ship(tmp_path, writer, time, sink, replace(LIMITS, batch_records=45))
    assert backlog.count() == 0
    assert shipper.report.set_aside == list(range(1, 41))
    assert sorted(set(sink.delivered)) == list(range(41, 46))


def test_a_notice_that_is_rejected_makes_no_other(tmp_path: Path) -> None:
    """Each of them would be a record that is rejected in its turn, for ever."""
    journal = Journal.open(tmp_path)
    event = ExportState(sink="x", state="rejected", lag_records=1, lag_ms=0, rejected=1)
    AuditTrail(journal, {}).record(event)
    journal.close()
    time, writer = Time(), journal.writer
    ship(tmp_path, writer, time, FakeSink(time, Delivered(rejected=1, message="no")))
    assert states(tmp_path, writer) == []
    assert kept(tmp_path, writer) == ["0000000001.jsonl"]


def test_what_was_delivered_before_a_failure_is_not_sent_again(tmp_path: Path) -> None:
    time, writer = Time(), write_journal(tmp_path, 4)
    sink = FakeSink(time, Unusable(why="bad"), OK, BUSY)
    ship(tmp_path, writer, time, sink)
    assert [numbers for _, numbers in sink.sent] == [[1, 2, 3, 4], [1, 2], [3, 4], [3, 4]]


@settings(max_examples=8)
@given(
    poison=st.sets(st.integers(1, 12), max_size=6),
    failures=st.integers(0, 4),
)
def test_each_record_is_delivered_once_or_kept(
    tmp_path_factory: pytest.TempPathFactory, poison: set[int], failures: int
) -> None:
    directory, time = tmp_path_factory.mktemp("ship"), Time(run_ends=30.0)
    writer = write_journal(directory, 12)
    sink = FakeSink(time, *[BUSY] * failures, poison=tuple(poison))
    shipper, backlog = ship(directory, writer, time, sink)
    waiting = set(range(12 - backlog.count() + 1, 13))
    assert sorted(sink.delivered) == sorted(set(range(1, 13)) - poison - waiting)
    assert set(shipper.report.set_aside) == poison - waiting
    # Only what stands behind a batch of nothing else waits.
    assert not waiting or set(sorted(waiting)[: LIMITS.batch_records]) <= poison
