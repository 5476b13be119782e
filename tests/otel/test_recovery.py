from __future__ import annotations

import errno

import pytest

from otel import JournalBroken
from otel.chain import End, genesis, parse, seal
from otel.recovery import begin_anew
from otel.unsynced import At, Unsynced
from tests.support.disks import WRITER, Disk, DiskFile

SPELLED = ("netproxy.gateway.stopped", 9, "{}")


def lines(end: End, count: int) -> tuple[bytes, End]:
    text, after = seal(WRITER, "e-1", end, [(SPELLED, 0, 0)] * count)
    return text.encode(), after


def half_synced() -> tuple[Disk, Unsynced, bytes]:
    """Two records that are on the disk, and two that may not be."""
    disk = Disk()
    synced, end = lines(End(0, genesis(WRITER)), 2)
    DiskFile(disk, 1).write(synced)
    unsynced = Unsynced(At(1, 1, len(synced), end))
    later, end = lines(end, 2)
    DiskFile(disk, 1).write(later)
    unsynced.wrote(later, 1, len(synced) + len(later), end)
    return disk, unsynced, later


def test_the_records_since_the_last_good_sync_go_on_in_a_new_segment() -> None:
    disk, unsynced, later = half_synced()
    _, number, size = begin_anew(disk, unsynced)
    assert (number, size) == (2, len(later))
    assert disk.contents[2] == later
    assert [record.seq for record in disk.records] == [1, 2, 3, 4]
    assert disk.log[-1].what == "sync"


def test_a_second_attempt_leaves_no_record_twice() -> None:
    disk, unsynced, later = half_synced()
    disk.sync_errors = [errno.EIO]
    with pytest.raises(OSError, match="Input/output"):
        begin_anew(disk, unsynced)
    assert disk.contents[2] == b""
    _, number, _ = begin_anew(disk, unsynced)
    assert number == 3
    assert [record.seq for record in disk.records] == [1, 2, 3, 4]
    assert disk.contents[3] == later


def test_a_disk_without_room_is_said_to_be_full() -> None:
    disk, unsynced, _ = half_synced()
    disk.capacity = len(disk.contents[1]) - 10
    with pytest.raises(OSError, match="No space"):
        begin_anew(disk, unsynced)


@pytest.mark.parametrize("change", [b"", b"x\n", b"other"], ids=["gone", "changed", "shorter"])
def test_what_was_on_the_disk_has_to_be_there(change: bytes) -> None:
    disk, unsynced, _ = half_synced()
    size = unsynced.good.size
    disk.contents[1] = {
        b"": b"",
        b"x\n": disk.contents[1][: size - 2] + b"x\n",
        b"other": disk.contents[1][:50],
    }[change]
    with pytest.raises(JournalBroken, match="record 2, which was on the disk"):
        begin_anew(disk, unsynced)
    assert 2 not in disk.contents


def test_segments_that_were_begun_since_are_emptied() -> None:
    disk, unsynced, later = half_synced()
    disk.begin(2)
    more, end = lines(unsynced.now.end, 1)
    DiskFile(disk, 2).write(more)
    unsynced.wrote(more, 2, len(more), end)
    _, number, _ = begin_anew(disk, unsynced)
    assert number == 3
    assert disk.contents[2] == b""
    assert disk.contents[3] == later + more


def test_nothing_was_written_yet() -> None:
    disk = Disk()
    begin_anew(disk, Unsynced(At(0, 1, 0, End(0, genesis(WRITER)))))
    assert disk.contents == {1: b"", 2: b""}


def test_it_is_given_up_when_every_number_is_taken() -> None:
    class Crowded(Disk):
        def begin(self, number: int) -> DiskFile:
            self.contents.setdefault(number, b"")
            raise FileExistsError

    with pytest.raises(JournalBroken, match="no further segment"):
        begin_anew(Crowded(), Unsynced(At(0, 1, 0, End(0, genesis(WRITER)))))


def test_the_uids_stay_the_same() -> None:
    disk, unsynced, later = half_synced()
    begin_anew(disk, unsynced)
    assert [r.uid for r in disk.records[2:]] == [parse(x).uid for x in later.split(b"\n")[:-1]]
