"""What the chain's files go through. Whole failures, with those who wait: tests/faults."""

from __future__ import annotations

import errno

import pytest

from otel import AuditTrail, AuditUnavailable, Journal
from tests.support.disks import Disk, journal_on
from tests.support.journals import FailingFile, decision


def append(journal: Journal) -> int:
    return journal.append("netproxy.gateway.stopped", 9, {})


def test_after_a_failed_sync_it_goes_on_in_a_new_segment() -> None:
    disk = Disk()
    journal = journal_on(disk)
    append(journal)
    journal.sync()
    append(journal)
    disk.sync_errors = [errno.EIO]
    journal.sync()
    append(journal)
    journal.close()
    assert [record.seq for record in disk.records] == [1, 2, 3]
    assert disk.contents[1].count(b"\n") == 1
    assert disk.contents[2].count(b"\n") == 2
    assert 1 in disk.closed, "the poisoned descriptor is given back"


def test_where_no_segment_can_be_begun_nothing_is_taken_until_one_can() -> None:
    disk = Disk()
    journal = journal_on(disk)
    append(journal)
    disk.sync_errors, disk.begin_error = [errno.EIO], errno.EROFS
    with pytest.raises(AuditUnavailable, match="Read-only") as caught:
        journal.sync()
    assert caught.value.error_type == "EIO"
    with pytest.raises(AuditUnavailable, match="sync failed"):
        append(journal)
    disk.begin_error = None
    assert journal.problem is not None
    journal._sync_behind()
    assert append(journal) == 2
    journal.close()
    assert [record.seq for record in disk.records] == [1, 2]


def test_what_was_refused_is_not_written_when_the_journal_goes_on() -> None:
    """Whoever put it was told no; a record of it later would say that it was let through."""
    disk = Disk()
    journal = journal_on(disk)
    trail = AuditTrail(journal, {})
    trail.record(decision("a.example"))
    journal.put(lambda _: ("netproxy.policy_decision", 9, "{}"), decision("refused.example"))
    disk.sync_errors, disk.begin_error = [errno.EIO], errno.EROFS
    with pytest.raises(AuditUnavailable):
        journal.sync()
    with pytest.raises(AuditUnavailable):
        journal.flush()
    disk.begin_error = None
    journal._sync_behind()
    trail.record(decision("b.example"))
    assert disk.hosts == ["a.example", "b.example"]


def test_half_a_record_that_can_not_be_removed_is_left_behind() -> None:
    disk = Disk()
    journal = journal_on(disk)
    append(journal)
    disk.capacity, disk.truncate_error = len(disk.contents[1]) + 10, errno.EIO
    with pytest.raises(AuditUnavailable, match="disk full"):
        append(journal)
    disk.capacity, disk.truncate_error = 1 << 30, None
    journal._sync_behind()
    assert append(journal) == 2
    assert [record.seq for record in disk.records] == [1, 2]


def test_a_file_that_was_removed_records_nothing() -> None:
    """Writes to it would go on and be seen by nobody."""
    file = FailingFile()
    disk = Disk()
    journal = journal_on(disk)
    append(journal)
    disk.is_removed = True
    disk.begin_error = errno.ENOENT
    with pytest.raises(AuditUnavailable, match="its file was removed"):
        journal.sync()
    with pytest.raises(AuditUnavailable, match="its file was removed"):
        append(journal)
    assert not file.content


def test_marks_say_how_far_it_came() -> None:
    journal = journal_on(Disk())
    assert (journal.written_mark, journal.synced_mark) == (0, 0)
    append(journal)
    append(journal)
    assert (journal.written_mark, journal.synced_mark) == (2, 0)
    journal.sync()
    assert (journal.written_mark, journal.synced_mark) == (2, 2)
