"""What may go, goes recorded and signed; all else stays, and `verify` knows the difference."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from otel import AuditUnavailable, Journal, JournalBroken, Kind, State, cursor, read, verify
from otel.cursor import Cursor
from otel.evidence import EvidenceSettings
from otel.folders import segment_numbers
from otel.pruning import candidates, prune
from otel.retention import Bounds, Rules
from tests.support.evidence import keeper, lines_of, named, put_lines, signed_journal
from tests.support.journals import NOON_NS, SteppingClock, segment_of

if TYPE_CHECKING:
    from pathlib import Path

    from otel.events import SegmentRemoved
    from otel.evidence import Evidence

DAY_NS = 86_400 * 10**9
SINK = "ship-0123456789abcdef"
RULES = Rules(bounds=Bounds(retain_days=7, max_bytes=None), sinks=(SINK,))
KEPT = EvidenceSettings(segment_bytes=4000)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A writer whose segments are a month old, and all exported."""
    writer = signed_journal(tmp_path, 12, settings=KEPT)
    export(tmp_path, writer, segment_numbers(tmp_path / writer)[-1])
    return writer


def export(directory: Path, writer: str, segment: int, offset: int | None = None) -> None:
    """The sink has everything up to there."""
    if offset is None:
        offset = segment_of(directory, writer, segment).stat().st_size
    at = Cursor(segment=segment, offset=offset, seq=1, hash="")
    cursor.save(directory / writer, SINK, at)


def opened(directory: Path, writer: str, *, days: int = 30) -> tuple[Journal, Evidence]:
    kept = keeper(directory, KEPT)
    kept.is_visit = True
    clock = SteppingClock(NOON_NS + days * DAY_NS)
    return Journal.open(directory, clock=clock, keeper=kept, writer=writer), kept


def pruned(directory: Path, writer: str, rules: Rules = RULES, *, days: int = 30) -> list[str]:
    journal, kept = opened(directory, writer, days=days)
    try:
        return prune(kept, rules)
    finally:
        journal.close()


def why(directory: Path, writer: str, rules: Rules = RULES) -> str | None:
    """Why the oldest one stays; what there is, is only looked at."""
    before = sorted(directory.rglob("*"))
    first = next(candidates(directory, writer, rules, now_ns=NOON_NS + 30 * DAY_NS))
    assert sorted(directory.rglob("*")) == before
    return first.kept


def test_it_goes_on_record_and_the_rest_still_verifies(tmp_path: Path, old: str) -> None:
    """Reference section 10, case 28."""
    import hashlib

    numbers = segment_numbers(tmp_path / old)
    hashes = {
        f"{number:08d}.jsonl": hashlib.sha256(
            segment_of(tmp_path, old, number).read_bytes()
        ).hexdigest()
        for number in numbers
    }
    removed_records = len(lines_of(tmp_path, old, 1)) + sum(
        len(lines_of(tmp_path, old, number)) for number in numbers[1:-1]
    )
    gone = pruned(tmp_path, old)
    assert len(gone) == len(numbers) - 1 >= 2
    assert segment_numbers(tmp_path / old)[0] == numbers[-1]
    records = named(list(read(tmp_path, print)), "audit.segment_removed")
    assert [record.attributes["netproxy.segment.name"] for record in records] == gone
    for record in records:
        name = str(record.attributes["netproxy.segment.name"])
        assert record.attributes["netproxy.sealed.digest"] == hashes[name]
    (verdict,) = verify(tmp_path)
    assert verdict.findings == ()
    assert verdict.completeness.removed == removed_records
    assert verdict.signed.records_behind == 0


def test_again_and_again(tmp_path: Path, old: str) -> None:
    """The record of an earlier removal may itself be removed: the newest accounts for all."""
    assert pruned(tmp_path, old)
    for days in (60, 90):
        signed_journal(tmp_path, 12, settings=KEPT)
        export(tmp_path, old, segment_numbers(tmp_path / old)[-1])
        assert pruned(tmp_path, old, days=days)
        (verdict,) = verify(tmp_path)
        assert verdict.is_well
        assert verdict.completeness.removed > 0


def test_a_visit_does_not_change_how_the_last_life_ended(tmp_path: Path, old: str) -> None:
    assert pruned(tmp_path, old)
    journal = Journal.open(tmp_path)
    assert journal.previous_shutdown == "clean"
    journal.close()


def test_nothing_goes_that_is_not_exported(tmp_path: Path, old: str) -> None:
    export(tmp_path, old, 1, 0)
    assert "does not have it" in str(why(tmp_path, old))
    assert pruned(tmp_path, old) == []
    (tmp_path / old / f"{SINK}.cursor").unlink()
    assert "does not have it" in str(why(tmp_path, old))
    assert "to nobody" in str(why(tmp_path, old, Rules(bounds=RULES.bounds, sinks=())))


def test_nothing_goes_whose_checkpoint_is_not_exported(tmp_path: Path, old: str) -> None:
    """Else what was removed could be denied: the sink has the records, and no signature."""
    export(tmp_path, old, 1)
    assert "no checkpoint behind it" in str(why(tmp_path, old))
    export(tmp_path, old, 2, len(lines_of(tmp_path, old, 2)[0]))
    assert why(tmp_path, old) is None


def test_a_file_named_hold_forbids_it(tmp_path: Path, old: str) -> None:
    (tmp_path / "hold").symlink_to("nowhere")
    assert "hold" in str(why(tmp_path, old))
    assert pruned(tmp_path, old) == []
    (tmp_path / "hold").unlink()
    assert why(tmp_path, old) is None


def test_a_segment_that_was_changed_stays_as_evidence(tmp_path: Path, old: str) -> None:
    lines = lines_of(tmp_path, old)
    lines[2] = lines[2].replace(b"443", b"444")
    put_lines(tmp_path, old, lines)
    assert "changed since" in str(why(tmp_path, old))


def test_a_segment_that_nobody_signed_stays(tmp_path: Path, old: str) -> None:
    shutil.rmtree(tmp_path / "keys")
    assert "not signed" in str(why(tmp_path, old))


def test_nothing_goes_where_the_beginning_is_gone_without_a_record(
    tmp_path: Path, old: str
) -> None:
    """Else the next removal would cover up for the first."""
    segment_of(tmp_path, old).unlink()
    assert "gone without a record" in str(why(tmp_path, old))


def test_a_removal_that_was_not_finished_is_finished_later(tmp_path: Path, old: str) -> None:
    """Killed between the record and the end of the file: one record, and no file."""
    copy = segment_of(tmp_path, old).read_bytes()
    first, *_ = pruned(tmp_path, old)
    segment_of(tmp_path, old).write_bytes(copy)
    (whole,) = verify(tmp_path)
    assert Kind.GAP in {finding.kind for finding in whole.findings}  # there are others between
    assert pruned(tmp_path, old) == [first]
    (verdict,) = verify(tmp_path)
    assert verdict.is_well
    records = named(list(read(tmp_path, print)), "audit.segment_removed")
    assert len({record.attributes["netproxy.segment.name"] for record in records}) == len(records)


def test_a_crash_right_behind_the_record_loses_nothing(tmp_path: Path, old: str) -> None:
    journal, kept = opened(tmp_path, old)
    first = next(candidates(tmp_path, old, RULES, now_ns=NOON_NS + 30 * DAY_NS))
    assert first.removal is not None
    kept.record_signed(first.removal)
    journal.close()
    (verdict,) = verify(tmp_path)
    assert verdict.is_well
    assert verdict.completeness.removed == 0
    assert pruned(tmp_path, old)[0] == first.segment
    assert verify(tmp_path)[0].is_well


def test_without_a_signature_nothing_goes(tmp_path: Path, old: str) -> None:
    from otel.evidence import Evidence

    kept = Evidence(tmp_path, key=None, settings=KEPT)
    clock = SteppingClock(NOON_NS + 30 * DAY_NS)
    journal = Journal.open(tmp_path, clock=clock, keeper=kept, writer=old)
    with pytest.raises(AuditUnavailable, match="checkpoint"):
        prune(kept, RULES)
    journal.close()
    assert segment_of(tmp_path, old).exists()


def test_it_is_recorded_before_it_goes(
    tmp_path: Path, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    journal, kept = opened(tmp_path, old)
    record_signed = kept.record_signed

    def watched(event: SegmentRemoved) -> None:
        record_signed(event)
        seen.append((event.segment, (tmp_path / old / event.segment).exists()))

    monkeypatch.setattr(kept, "record_signed", watched)
    gone = prune(kept, RULES)
    journal.close()
    assert seen == [(name, True) for name in gone]


def test_only_as_much_as_is_too_much(tmp_path: Path, old: str) -> None:
    sizes = [path.stat().st_size for path in sorted((tmp_path / old).glob("*.jsonl"))]
    bounds = Bounds(retain_days=None, max_bytes=sum(sizes) - 1)
    assert len(pruned(tmp_path, old, Rules(bounds=bounds, sinks=(SINK,)))) == 1


def test_without_bounds_nothing_is_looked_at(tmp_path: Path, old: str) -> None:
    rules = Rules(bounds=Bounds(retain_days=None, max_bytes=None), sinks=(SINK,))
    assert pruned(tmp_path, old, rules) == []


def test_an_empty_segment_goes_without_a_word(tmp_path: Path, old: str) -> None:
    """A failed sync leaves one behind: nothing was in it."""
    pruned(tmp_path, old)
    number = segment_numbers(tmp_path / old)[0]
    segment_of(tmp_path, old, number - 1).touch(0o600)
    assert pruned(tmp_path, old) == [f"{number - 1:08d}.jsonl"]
    assert verify(tmp_path)[0].is_well


def test_a_writer_that_is_in_use_is_left_alone(tmp_path: Path, old: str) -> None:
    journal, _ = opened(tmp_path, old)
    with pytest.raises(JournalBroken, match="in use"):
        opened(tmp_path, old)
    journal.close()


def test_readers_go_on_over_what_was_removed(tmp_path: Path, old: str) -> None:
    from otel.folders import START
    from otel.lines import LineReader, position_before_last

    pruned(tmp_path, old)
    left = sum(len(path.read_bytes().splitlines()) for path in (tmp_path / old).glob("*.jsonl"))
    assert len(list(LineReader(tmp_path / old, START))) == left
    begin = position_before_last(tmp_path / old, 10_000)
    assert len(list(LineReader(tmp_path / old, begin))) == left


def test_the_gateway_does_it_by_itself(tmp_path: Path, old: str) -> None:
    kept = keeper(tmp_path, KEPT)
    gone: list[str] = []
    kept.after_sealing = lambda: gone.extend(prune(kept, RULES))
    clock = SteppingClock(NOON_NS + 30 * DAY_NS)
    journal = Journal.open(tmp_path, clock=clock, keeper=kept)
    journal.due_size = 1
    journal.append("netproxy.audit.gap", 9, {"netproxy.gap.lost": 0})
    journal.close()
    assert gone
    (verdict,) = verify(tmp_path)
    assert verdict.holds
    assert verdict.completeness.state is State.GAPS
