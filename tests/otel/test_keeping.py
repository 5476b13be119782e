"""What a journal asks of its keeper, and when: no keeper of ours, but a list of its calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel import AuditUnavailable, Journal, verify
from otel.chain import parse
from tests.support.journals import FailingFile, SteppingClock, segment_of, write_journal

if TYPE_CHECKING:
    from otel.chain import Spelled
    from otel.keeping import Place


class Keeper:
    """Notes what it is asked; begins a new segment when it is due, if it is told so."""

    def __init__(self, *, refuses: tuple[str, ...] = (), begins: bool = False) -> None:
        self.calls: list[str] = []
        self._refuses = refuses
        self._begins = begins

    def admits(self, writer: str) -> bool:
        self.calls.append("admits")
        return writer not in self._refuses

    def opened(self, journal: Journal) -> None:
        self.journal = journal
        self.calls.append("opened")

    def starting(self) -> None:
        self.calls.append("starting")

    def due(self) -> None:
        self.calls.append(f"due at {self.journal.last_seq}")
        self.journal.due_seq += 2
        if self._begins:
            self.journal.begin_segment()

    def closing(self) -> None:
        self.calls.append("closing")


def append(journal: Journal, count: int = 1) -> None:
    for _ in range(count):
        journal.append("netproxy.audit.gap", 9, {})


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def note(place: Place) -> Spelled:
    return "netproxy.audit.gap", 9, f'{{"after":{place.end.seq},"segment":{place.segment}}}'


def test_its_life(tmp_path: Path) -> None:
    keeper = Keeper()
    journal = Journal.open(tmp_path, keeper=keeper)
    journal.due_seq = 2
    append(journal, 4)
    journal.start_syncing()
    journal.close()
    journal.close()
    assert keeper.calls == ["opened", "due at 2", "due at 4", "starting", "closing"]


def test_it_is_called_when_a_size_is_reached(tmp_path: Path) -> None:
    keeper = Keeper()
    journal = Journal.open(tmp_path, keeper=keeper)
    journal.due_size = 600
    append(journal, 2)
    journal.close()
    assert keeper.calls == ["opened", "due at 2", "closing"]


def test_a_chain_that_it_does_not_admit_is_left_as_it_is(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    before = segment_of(tmp_path, writer).read_bytes()
    journal = Journal.open(tmp_path, keeper=Keeper(refuses=(writer,)))
    assert journal.writer != writer
    again = Journal.open(tmp_path)  # nobody holds the lock of the one that was refused
    assert again.writer == writer
    again.close()
    journal.close()
    assert segment_of(tmp_path, writer).read_bytes() == before


def test_a_record_between_the_batches(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    append(journal, 2)
    assert journal.interject(note).seq == 3
    append(journal)
    journal.close()
    lines = segment_of(tmp_path, journal.writer).read_bytes().splitlines()
    assert parse(lines[2]).attributes == {"after": 2, "segment": 1}
    assert verify(tmp_path)[0].holds


def test_a_record_between_the_batches_that_fails_takes_nothing_along(tmp_path: Path) -> None:
    """What was put belongs to whoever put it, who is told by the flush."""
    from otel.segment import Tail

    file = FailingFile()
    writer = write_journal(tmp_path, 0)
    tail = Tail(number=1, size=0, torn_bytes=0, last_line=None)
    journal = Journal(writer=writer, segment=file, tail=tail, clock=SteppingClock(), locks=())
    journal.put(lambda _: ("netproxy.audit.gap", 9, "{}"), None)  # type: ignore[arg-type]
    file.write_error = 28
    with pytest.raises(AuditUnavailable):
        journal.interject(note)
    file.write_error = None
    journal.flush()
    assert file.content.count(b"\n") == 1
    with pytest.raises(AuditUnavailable, match="one segment"):
        journal.begin_segment()
    assert journal.line_before(journal.position) is None


def test_the_chain_goes_on_over_segments_and_restarts(tmp_path: Path) -> None:
    for start in (1, 7):
        journal = Journal.open(tmp_path, keeper=Keeper(begins=True))
        journal.due_seq = start + 1
        append(journal, 6)
        journal.close()
    (verdict,) = verify(tmp_path)
    names = sorted(path.name for path in (tmp_path / verdict.writer).glob("*.jsonl"))
    assert names == [f"{number:08d}.jsonl" for number in range(1, 8)]
    assert segment_of(tmp_path, verdict.writer, 7).stat().st_size == 0
    assert verdict.holds
    assert verdict.records == 12


def test_a_segment_that_can_not_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    append(journal)
    segment_of(tmp_path, journal.writer, 2).touch()
    with pytest.raises(AuditUnavailable, match="no new segment"):
        journal.begin_segment()
    append(journal)
    last = journal.line_before(journal.position)
    assert last is not None
    assert parse(last).seq == 2
    assert journal.position.segment == 1
    journal.close()


def test_a_segment_that_was_left_is_closed_in_the_end(tmp_path: Path) -> None:
    before = open_descriptors()
    journal = Journal.open(tmp_path)
    for number in range(1, 4):
        append(journal)
        assert journal.begin_segment() == number
        journal.sync()
    journal.close()
    assert open_descriptors() == before


def test_whoever_reads_goes_on_over_segments(tmp_path: Path) -> None:
    """The follower, the exporter's backlog, and the last lines of all."""
    from otel import Follower, read
    from otel.backlog import Backlog
    from otel.config import ShipLimits
    from otel.folders import START
    from otel.lines import LineReader, position_before_last

    journal = Journal.open(tmp_path, keeper=Keeper(begins=True))
    append(journal)
    follower = Follower(tmp_path, print)
    backlog = Backlog(tmp_path / journal.writer, "ship-a", start=START, limits=ShipLimits())
    journal.due_seq = 3
    append(journal, 8)
    assert journal.position.segment > 3
    assert [record.seq for record in follower.poll()] == list(range(2, 10))
    taken: list[int] = []
    while batch := backlog.next_batch():
        taken += [entry.record.seq for entry in batch]
        backlog.acknowledge(batch[-1])
    assert taken == list(range(1, 10))
    append(journal, 2)
    again = Backlog(tmp_path / journal.writer, "ship-a", start=START, limits=ShipLimits())
    assert again.next_batch()[0].record.seq == 10
    assert not again.problems
    for count in (1, 3, 7):
        begin = position_before_last(tmp_path / journal.writer, count)
        assert len(list(LineReader(tmp_path / journal.writer, begin))) == count
    assert [record.seq for record in read(tmp_path, print, last=5)] == list(range(7, 12))
    journal.close()
