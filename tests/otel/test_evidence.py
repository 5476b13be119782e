"""Checkpoints, seals and new segments, with a clock that the tests move."""

from __future__ import annotations

import hashlib
import stat
import time
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, Journal, evidence, keys, read
from otel.checkpoints import read_mark
from otel.errors import KeyUnusable
from otel.events import GatewayStopped
from otel.evidence import Evidence, EvidenceSettings
from tests.support.evidence import keeper, named, signed_journal
from tests.support.journals import NOON_NS, SteppingClock, decision, segment_of, write_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel import Record
    from otel.chain import Spelled
    from otel.checkpoints import Mark
    from otel.keeping import Place, Written

DAY_NS = 24 * 3600 * 10**9
SMALL = EvidenceSettings(segment_bytes=4000)


def records_of(directory: Path) -> list[Record]:
    problems: list[str] = []
    found = list(read(directory, problems.append))
    assert problems == []
    return sorted(found, key=lambda record: (record.writer, record.seq))


def marks_of(directory: Path) -> list[Mark]:
    """Every checkpoint, whose signature holds and which stands where it says."""
    public = keys.public_keys(directory)
    marks = []
    for record in named(records_of(directory), "audit.checkpoint"):
        mark, signature = read_mark(record.attributes, record.timestamp)
        assert keys.is_signed(public[mark.key_id], signature, mark.message())
        assert (mark.writer, mark.head_seq) == (record.writer, record.seq - 1)
        assert mark.head_hash == record.previous.hex()
        marks.append(mark)
    return marks


def open_kept(
    directory: Path, clock: SteppingClock, settings: EvidenceSettings | None = None
) -> tuple[Journal, Evidence]:
    kept = keeper(directory, settings)
    return Journal.open(directory, clock=clock, keeper=kept), kept


def fill(journal: Journal, count: int) -> None:
    trail = AuditTrail(journal, {})
    for number in range(count):
        trail.record(decision(f"h{number}.example"))


def test_one_at_the_end_of_each_life_numbered_on(tmp_path: Path) -> None:
    for _ in range(3):
        signed_journal(tmp_path, 5)
    marks = marks_of(tmp_path)
    assert [(mark.number, mark.records, mark.cause) for mark in marks] == [
        (1, 7, "shutdown"),
        (2, 7, "shutdown"),
        (3, 7, "shutdown"),
    ]


def test_one_each_thousand_records(tmp_path: Path) -> None:
    journal, _ = open_kept(tmp_path, SteppingClock())
    fill(journal, 2500)
    journal.close()
    assert [(mark.number, mark.records, mark.cause) for mark in marks_of(tmp_path)] == [
        (1, 1000, "records"),
        (2, 1000, "records"),
        (3, 500, "closed"),
    ]


def test_one_each_minute_with_new_records(tmp_path: Path) -> None:
    journal, kept = open_kept(tmp_path, SteppingClock())
    kept.tick()
    fill(journal, 3)
    kept.tick()
    kept.tick()
    fill(journal, 1)
    kept.tick()
    journal.close()
    assert [(mark.records, mark.cause) for mark in marks_of(tmp_path)] == [(3, "time"), (1, "time")]


def test_how_it_ended_is_known_behind_the_last_checkpoint(tmp_path: Path) -> None:
    signed_journal(tmp_path, 1)
    journal, _ = open_kept(tmp_path, SteppingClock())
    assert journal.previous_shutdown == "clean"
    fill(journal, 1)
    journal.close()
    journal, _ = open_kept(tmp_path, SteppingClock())
    assert journal.previous_shutdown == "unclean"
    AuditTrail(journal, {}).record(GatewayStopped())
    journal.close()
    assert Journal.open(tmp_path).previous_shutdown == "clean"


def test_segments_are_sealed_and_their_hash_is_signed(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 40, settings=SMALL)
    sealed = {mark.sealed_segment: mark for mark in marks_of(tmp_path) if mark.sealed_segment}
    paths = sorted((tmp_path / writer).glob("*.jsonl"))
    assert len(paths) > 4
    assert list(sealed) == [path.name for path in paths[:-1]]
    for path in paths[:-1]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert sealed[path.name].sealed_digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stat.S_IMODE(paths[-1].stat().st_mode) == 0o600
    seqs = [record.seq for record in records_of(tmp_path)]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_checkpoint_names_the_segment_that_it_is_in(tmp_path: Path) -> None:
    signed_journal(tmp_path, 12, settings=SMALL)
    for mark in marks_of(tmp_path):
        if mark.sealed_segment is not None:
            assert int(mark.segment[:8]) == int(mark.sealed_segment[:8]) + 1


def test_a_segment_is_new_after_a_day(tmp_path: Path) -> None:
    clock = SteppingClock()
    journal, kept = open_kept(tmp_path, clock)
    kept.tick()
    fill(journal, 1)
    clock.now_ns = NOON_NS + DAY_NS - 10**9
    kept.tick()
    assert journal.position.segment == 1
    clock.now_ns = NOON_NS + DAY_NS + 10**9
    kept.tick()
    kept.tick()
    assert journal.position.segment == 2
    journal.close()


def test_runs_that_are_over_at_once_get_a_new_segment_each_day_too(tmp_path: Path) -> None:
    first, *_, last = [
        signed_journal(tmp_path, 1, start_ns=NOON_NS + day * DAY_NS) for day in range(3)
    ]
    assert first == last
    assert segment_of(tmp_path, last, 2).exists()
    assert marks_of(tmp_path)[-1].cause == "shutdown"


def test_a_segment_that_was_not_sealed_in_time_is_sealed_at_the_next_start(tmp_path: Path) -> None:
    """Killed between making the new segment and hashing the old one."""
    journal = Journal.open(tmp_path)
    fill(journal, 2)
    journal.begin_segment()
    fill(journal, 1)
    journal.close()
    journal, kept = open_kept(tmp_path, SteppingClock())
    kept.seal_left()
    kept.seal_left()
    journal.close()
    assert [mark.sealed_segment for mark in marks_of(tmp_path)] == ["00000001.jsonl"]


def test_the_thread_seals_and_signs(tmp_path: Path) -> None:
    journal, _ = open_kept(tmp_path, SteppingClock(), SMALL)
    journal.start_syncing()
    fill(journal, 30)
    deadline = time.monotonic() + 10
    first = segment_of(tmp_path, journal.writer)
    while stat.S_IMODE(first.stat().st_mode) != 0o400 and time.monotonic() < deadline:
        time.sleep(0.005)
    journal.close()
    assert stat.S_IMODE(first.stat().st_mode) == 0o400
    numbers = [mark.number for mark in marks_of(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_thread_signs_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded after a moment, and what an earlier process left unsealed is sealed then."""
    monkeypatch.setattr(evidence, "_FIRST_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(evidence, "EVERY_SECONDS", 0.005)
    journal = Journal.open(tmp_path)
    fill(journal, 1)
    journal.begin_segment()
    journal.close()
    journal, kept = open_kept(tmp_path, SteppingClock())
    done: list[str] = []
    kept.after_sealing = lambda: done.append("sealed")
    journal.start_syncing()
    deadline = time.monotonic() + 10
    while "time" not in causes_of(tmp_path) and time.monotonic() < deadline:
        fill(journal, 1)  # the one before may be covered by what was sealed
        time.sleep(0.005)
    journal.close()
    assert {"sealed", "time"} <= set(causes_of(tmp_path))
    assert done


def causes_of(directory: Path) -> list[str]:
    return [mark.cause for mark in marks_of(directory)]


def test_two_threads_never_sign_one_number(tmp_path: Path) -> None:
    import threading

    journal, kept = open_kept(tmp_path, SteppingClock())
    fill(journal, 1)

    def sign() -> None:
        for _ in range(50):
            journal.interject(lambda _: ("netproxy.audit.gap", 9, "{}"))
            kept.tick()

    threads = [threading.Thread(target=sign) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    marks = marks_of(tmp_path)
    assert [mark.number for mark in marks] == list(range(1, len(marks) + 1))
    assert sum(mark.records + 1 for mark in marks) == journal.last_seq


def test_nobody_signs_between_a_checkpoint_and_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop's thread and ours may come to it at once: the second one has to wait."""
    import threading

    journal, kept = open_kept(tmp_path, SteppingClock())
    fill(journal, 2)
    others: list[threading.Thread] = []
    interject = journal.interject

    def slow(make: Callable[[Place], Spelled]) -> Written:
        written = interject(make)
        if not others:
            others.append(threading.Thread(target=kept.due))
            others[0].start()
            others[0].join(0.1)
        return written

    monkeypatch.setattr(journal, "interject", slow)
    journal.due_seq = 0
    kept.tick()
    others[0].join()
    journal.close()
    numbers = [mark.number for mark in marks_of(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_new_segment_that_can_not_be_made_is_tried_again_later(tmp_path: Path) -> None:
    journal, _ = open_kept(tmp_path, SteppingClock(), SMALL)
    blocked = segment_of(tmp_path, journal.writer, 2)
    blocked.mkdir()
    fill(journal, 40)
    assert journal.position.segment == 1
    blocked.rmdir()
    journal.due_size = journal.position.offset
    fill(journal, 1)
    assert journal.position.segment == 2
    journal.close()


def test_without_a_key_strict_refuses_and_others_warn(tmp_path: Path) -> None:
    settings = EvidenceSettings(key=tmp_path / "none.pem", segment_bytes=4000)
    audit = tmp_path / "audit"
    with pytest.raises(KeyUnusable):
        Evidence.of(audit, settings, strict=True, warn=print)
    said: list[str] = []
    kept = Evidence.of(audit, settings, strict=False, warn=said.append)
    assert kept.key_id is None
    assert "not signed" in said[0]
    journal = Journal.open(audit, clock=SteppingClock(), keeper=kept)
    fill(journal, 1200)
    kept.tick()
    journal.close()
    assert named(records_of(audit), "audit.checkpoint") == []
    assert segment_of(audit, journal.writer, 2).exists()


def test_a_chain_that_was_never_signed_is_signed_from_here_on(tmp_path: Path) -> None:
    write_journal(tmp_path, 3)
    assert signed_journal(tmp_path, 1) == write_journal(tmp_path, 0)
    (mark,) = marks_of(tmp_path)
    assert (mark.number, mark.records) == (1, 6)


def test_a_new_key_goes_on_with_the_numbers(tmp_path: Path) -> None:
    signed_journal(tmp_path, 1)
    (tmp_path / "keys" / "checkpoint.key").unlink()
    signed_journal(tmp_path, 1)
    first, second = marks_of(tmp_path)
    assert (first.number, second.number) == (1, 2)
    assert first.key_id != second.key_id
