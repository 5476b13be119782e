from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel import Journal
from otel.backlog import Backlog
from otel.config import ShipLimits
from otel.cursor import load, passed_by_all
from otel.folders import START, Position
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = ShipLimits()
SINK = "ship-0123456789abcdef"


def backlog_of(folder: Path, start: Position = START, limits: ShipLimits = LIMITS) -> Backlog:
    return Backlog(folder, SINK, start=start, limits=limits)


def drain(backlog: Backlog) -> list[list[int]]:
    batches = []
    while batch := backlog.next_batch():
        batches.append([entry.record.seq for entry in batch])
        backlog.acknowledge(batch[-1])
    return batches


def test_batches_are_bounded_by_number(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 5)
    limits = replace(LIMITS, batch_records=2)
    assert drain(backlog_of(tmp_path / writer, limits=limits)) == [[1, 2], [3, 4], [5]]


def test_batches_are_bounded_by_size(tmp_path: Path) -> None:
    """A record that is larger than that goes alone."""
    writer = write_journal(tmp_path, 3)
    limits = replace(LIMITS, batch_bytes=10)
    assert drain(backlog_of(tmp_path / writer, limits=limits)) == [[1], [2], [3]]


def test_a_batch_is_given_again_until_it_is_acknowledged(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    backlog = backlog_of(tmp_path / writer)
    assert backlog.next_batch() == backlog.next_batch()
    assert backlog.count() == 2
    assert drain(backlog) == [[1, 2]]
    assert backlog.count() == 0


def test_the_next_process_goes_on(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    drain(backlog_of(tmp_path / writer))
    write_journal(tmp_path, 1)
    assert drain(backlog_of(tmp_path / writer)) == [[3]]
    assert drain(backlog_of(tmp_path / writer)) == []


def test_each_collector_has_its_own_cursor(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    drain(backlog_of(tmp_path / writer))
    other = Backlog(tmp_path / writer, "ship-other", start=START, limits=LIMITS)
    assert drain(other) == [[1, 2]]


def test_a_new_collector_gets_nothing_from_before(tmp_path: Path) -> None:
    """The earlier runs may not have been meant for it."""
    writer = write_journal(tmp_path, 2)
    journal = Journal.open(tmp_path)
    backlog = backlog_of(tmp_path / writer, journal.opened_at)
    journal.append("netproxy.audit.gap", 9, {})
    journal.close()
    assert drain(backlog) == [[3]]


def test_where_a_collector_began_is_kept_for_good(tmp_path: Path) -> None:
    """Retention asks for it: what was before that is with nobody."""
    folder = tmp_path / write_journal(tmp_path, 2)
    end = Position(1, segment_of(tmp_path, folder.name).stat().st_size)
    for start in (end, START):  # the next process may be told another place
        write_journal(tmp_path, 1)
        assert drain(backlog_of(folder, start))
        cursor = load(folder, SINK)
        assert cursor is not None
        assert (cursor.first_segment, cursor.first_offset) == (end.segment, end.offset)
    assert not passed_by_all(folder, [SINK], end)


def test_where_a_collector_began_is_kept_until_the_first_delivery(tmp_path: Path) -> None:
    """It was down during its first run: the second run delivers the records of both."""
    writer = write_journal(tmp_path, 2)
    journal = Journal.open(tmp_path)
    backlog_of(tmp_path / writer, journal.opened_at)
    journal.append("netproxy.audit.gap", 9, {})
    journal.close()
    again = Journal.open(tmp_path)
    backlog = backlog_of(tmp_path / writer, again.opened_at)
    again.append("netproxy.audit.gap", 9, {})
    again.close()
    assert drain(backlog) == [[3, 4]]


@pytest.mark.parametrize("kept", [0, 1])
def test_a_journal_that_was_cut_is_sent_anew(tmp_path: Path, kept: int) -> None:
    """Duplicates do no harm; going on at a place that no longer exists would skip records."""
    writer = write_journal(tmp_path, 3)
    drain(backlog_of(tmp_path / writer))
    path = segment_of(tmp_path, writer)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    write_journal(tmp_path, 4)
    backlog = backlog_of(tmp_path / writer)
    assert [problem for problem in backlog.problems if "sending it anew" in problem]
    assert drain(backlog)[0][0] == 1


def test_damage_is_told_and_does_not_block(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    path = segment_of(tmp_path, writer)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"rubbish\n" + lines[2])
    backlog = backlog_of(tmp_path / writer)
    assert drain(backlog) == [[1, 3]]
    assert len(backlog.problems) == 1
    path.write_bytes(b"rubbish\n")
    assert drain(Backlog(tmp_path / writer, "ship-b", start=START, limits=LIMITS)) == []


def test_a_cursor_that_can_not_be_saved_stops_nothing(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    (tmp_path / writer / f"{SINK}.cursor.new").symlink_to("elsewhere")
    backlog = backlog_of(tmp_path / writer)
    assert drain(backlog) == [[1, 2]]
    assert any("can't be saved" in problem for problem in backlog.problems)


def test_a_segment_that_was_removed_does_not_stop_a_slow_sink(tmp_path: Path) -> None:
    """Retention waits for required sinks only. What is left, the others get."""
    writer = write_journal(tmp_path, 4)
    backlog = Backlog(tmp_path / writer, SINK, start=START, limits=replace(LIMITS, batch_records=1))
    backlog.acknowledge(backlog.next_batch()[0])
    lines = segment_of(tmp_path, writer).read_bytes().splitlines(keepends=True)
    segment_of(tmp_path, writer, 2).write_bytes(b"".join(lines[2:]))
    segment_of(tmp_path, writer).unlink()
    assert drain(backlog_of(tmp_path / writer)) == [[3, 4]]
