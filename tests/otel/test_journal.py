from __future__ import annotations

import os
import stat
import subprocess  # a second process is what is tested
import sys
import threading
import time
from pathlib import Path

import pytest

from otel import AuditUnavailable, Journal, JournalBroken, verify
from otel.chain import parse
from otel.events import GatewayStopped
from otel.segment import Tail
from tests.support.journals import (
    DISK_BROKEN,
    DISK_FULL,
    FailingFile,
    SteppingClock,
    decision,
    segment_of,
    write_journal,
)
from tests.support.loops import PATIENCE_SECONDS

WRITER = "w-01JD2QABCDEFGHJKMNPQRSTVWX"


def journal_in(file: FailingFile) -> Journal:
    tail = Tail(number=1, size=0, torn_bytes=0, last_line=None)
    return Journal(writer=WRITER, segment=file, tail=tail, clock=SteppingClock(), locks=())


def append(journal: Journal, host: str = "a.example") -> int:
    return journal.append("netproxy.policy_decision", 9, {"server.address": host})


def append_for(journal: Journal, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        append(journal)
        time.sleep(0.001)


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "audit")
    assert append(journal) == 1
    content = segment_of(tmp_path / "audit", journal.writer).read_bytes()
    assert parse(content[:-1]).attributes == {"server.address": "a.example"}
    journal.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "state" / "audit"
    writer = write_journal(directory, 1)
    for path in (directory, directory / writer):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (directory / writer).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    assert write_journal(tmp_path, 2) == writer
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 5


def test_two_at_once_have_a_writer_each(tmp_path: Path) -> None:
    first, second = Journal.open(tmp_path), Journal.open(tmp_path)
    assert first.writer != second.writer
    first.close()
    third = Journal.open(tmp_path)
    assert third.writer == first.writer
    second.close()
    third.close()


def test_ten_processes_at_once_have_a_writer_each(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from otel import Journal\n"
        "sys.stdin.readline()\n"
        "j = Journal.open(Path(sys.argv[1])); j.append('netproxy.audit.gap', 9, {})\n"
        "print(j.writer, flush=True); sys.stdin.readline()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "audit")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    writers = {process.stdout.readline() for process in processes if process.stdout}
    for process in processes:
        process.communicate("end\n", timeout=20)
    assert len(writers) == 10
    verdicts = verify(tmp_path / "audit")
    assert all(verdict.holds for verdict in verdicts)
    assert sum(verdict.records for verdict in verdicts) == 10


@pytest.mark.parametrize(
    ("last", "said"),
    [
        pytest.param(None, "none", id="first"),
        pytest.param(decision(), "unclean", id="killed"),
        pytest.param(GatewayStopped(), "clean", id="stopped"),
    ],
)
def test_how_the_last_process_ended(tmp_path: Path, last: GatewayStopped | None, said: str) -> None:
    journal = Journal.open(tmp_path)
    if last is not None:
        journal.append(last.name, last.severity, last.attributes())
    journal.close()
    again = Journal.open(tmp_path)
    assert again.previous_shutdown == said
    again.close()


def test_a_torn_tail_is_cut_and_counted(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b'{"attrs":{"half')
    journal = Journal.open(tmp_path)
    assert journal.torn_bytes == 15
    assert append(journal) == 3
    journal.close()
    assert verify(tmp_path)[0].holds


def test_a_segment_that_was_just_made_takes_its_place_from_the_one_before(tmp_path: Path) -> None:
    """Killed between making a segment and its first record."""
    writer = write_journal(tmp_path, 2)
    segment_of(tmp_path, writer, 2).touch(0o600)
    journal = Journal.open(tmp_path)
    assert append(journal) == 3
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 3


def test_a_short_write_leaves_nothing_behind() -> None:
    file = FailingFile()
    journal = journal_in(file)
    append(journal)
    whole = file.content
    file.takes = 20
    with pytest.raises(AuditUnavailable, match="disk full"):
        append(journal)
    assert file.content == whole
    file.takes = None
    assert append(journal) == 2


def test_a_write_error_leaves_the_chain_as_it_was() -> None:
    file = FailingFile()
    journal = journal_in(file)
    append(journal)
    file.write_error = DISK_FULL
    with pytest.raises(AuditUnavailable) as caught:
        append(journal)
    assert caught.value.error_type == "ENOSPC"
    file.write_error = None
    append(journal)
    first, second = (parse(line) for line in file.content.split(b"\n")[:-1])
    assert second.previous == first.digest


def test_half_a_record_that_can_not_be_removed_ends_the_journal() -> None:
    """Else the next record would stand behind half a line and be unreadable."""
    file = FailingFile()
    journal = journal_in(file)
    file.takes, file.truncate_error = 10, DISK_BROKEN
    with pytest.raises(AuditUnavailable):
        append(journal)
    file.takes = None
    with pytest.raises(AuditUnavailable, match="half a record"):
        append(journal)


def test_a_failed_sync_is_final() -> None:
    """The kernel may have dropped the pages; a second sync would lie."""
    file = FailingFile()
    journal = journal_in(file)
    append(journal)
    file.sync_error = DISK_BROKEN
    with pytest.raises(AuditUnavailable, match="sync failed"):
        journal.sync()
    file.sync_error = None
    with pytest.raises(AuditUnavailable):
        journal.sync()
    with pytest.raises(AuditUnavailable):
        append(journal)


def test_a_failed_sync_behind_the_back_is_told_at_the_next_append() -> None:
    file = FailingFile()
    journal = journal_in(file)
    file.sync_error = DISK_BROKEN
    journal.start_syncing()
    append(journal)
    with pytest.raises(AuditUnavailable):
        append_for(journal, seconds=PATIENCE_SECONDS)


def test_no_thread_runs_before_it_is_asked_for() -> None:
    """The launcher forks first."""
    before = threading.active_count()
    file = FailingFile()
    journal = journal_in(file)
    append(journal)
    assert threading.active_count() == before
    assert file.syncs == 0
    journal.start_syncing()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.syncs and time.monotonic() < deadline:
        time.sleep(0.001)
    assert file.syncs  # what was written before the start is synced too
    journal.close()
    assert threading.active_count() == before


def test_a_closed_journal_takes_nothing() -> None:
    file = FailingFile()
    journal = journal_in(file)
    append(journal)
    journal.close()
    journal.close()
    assert file.syncs == 1
    with pytest.raises(AuditUnavailable, match="closed"):
        append(journal)


def test_threads_may_append_at_once(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    threads = [
        threading.Thread(target=lambda: [append(journal) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.records == 800


def test_every_record_has_its_own_uid_also_after_a_cut(tmp_path: Path) -> None:
    """A number that is used again must not look like a duplicate to a collector."""
    writer = write_journal(tmp_path, 2)
    path = segment_of(tmp_path, writer)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    write_journal(tmp_path, 1)
    again = path.read_bytes().splitlines()
    assert parse(again[1]).seq == 2
    assert parse(again[1]).uid != parse(lines[1][:-1]).uid


def test_where_this_run_begins(tmp_path: Path) -> None:
    write_journal(tmp_path, 2)
    size = segment_of(tmp_path, write_journal(tmp_path, 0)).stat().st_size
    journal = Journal.open(tmp_path)
    assert (journal.opened_at.segment, journal.opened_at.offset) == (1, size)
    journal.close()


def test_a_directory_that_can_not_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalBroken) as caught:
        Journal.open(tmp_path / "file" / "audit")
    assert "\n" not in str(caught.value)
    assert "Not a directory" in str(caught.value)


def our_descriptors(directory: Path) -> list[int]:
    links = list(Path("/proc/self/fd").iterdir())  # the listing's own descriptor is gone by now
    return [int(link.name) for link in links if str(link.resolve()).startswith(str(directory))]


def test_no_descriptor_is_inherited_or_leaked(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    opened = our_descriptors(tmp_path)
    assert len(opened) == 3  # the segment, its folder and the lock
    assert not any(os.get_inheritable(descriptor) for descriptor in opened)
    journal.close()
    assert our_descriptors(tmp_path) == []
