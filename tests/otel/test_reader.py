from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from otel import AuditTrail, Follower, Journal, JournalBroken, Span, flat_line, read
from otel.chain import MAX_LINE
from tests.support.journals import NOON_NS, SteppingClock, decision, segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    from otel import Record, Value


def hosts(records: list[Record]) -> list[object]:
    return [record.attributes["server.address"] for record in records]


def interleave(directory: Path) -> None:
    """Two writers that write in turn."""
    clock = SteppingClock()
    first, second = (Journal.open(directory, clock=clock) for _ in range(2))
    for number in range(6):
        AuditTrail((first, second)[number % 2], {}).record(decision(f"h{number}.example"))
    first.close()
    second.close()


def never(problem: str) -> None:
    raise AssertionError(problem)


def test_writers_are_merged_by_time(tmp_path: Path) -> None:
    interleave(tmp_path)
    assert hosts(list(read(tmp_path, never))) == [f"h{n}.example" for n in range(6)]


@pytest.mark.parametrize("count", [0, 1, 3, 6, 100])
def test_the_last_ones(tmp_path: Path, count: int) -> None:
    interleave(tmp_path)
    expected = [f"h{n}.example" for n in range(6)][6 - min(count, 6) :]
    assert hosts(list(read(tmp_path, never, last=count))) == expected


def test_a_clock_that_went_back_loses_nothing(tmp_path: Path) -> None:
    write_journal(tmp_path, 3)
    write_journal(tmp_path, 3, start_ns=NOON_NS - 3_600_000_000_000)
    records = list(read(tmp_path, never))
    assert [record.seq for record in records] == [1, 2, 3, 4, 5, 6]


BORDERS = [None, *(f"2026-01-02T03:04:05.{ms}Z" for ms in (678, 679, 681, 684, 685))]


@pytest.mark.parametrize("since", BORDERS)
@pytest.mark.parametrize("until", BORDERS)
def test_a_period_is_what_holds_of_every_record(
    tmp_path: Path, since: str | None, until: str | None
) -> None:
    interleave(tmp_path)
    span = Span(since, until)
    every = [record for record in read(tmp_path, never) if span.holds(record.timestamp)]
    assert list(read(tmp_path, never, span=span)) == every


def test_text_that_poses_as_a_time_does_not_hide_a_record(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, clock=SteppingClock())
    hostile = '","seq":1,"sev":9,"ts":"1999-01-01T00:00:00.000Z","uid":"'
    AuditTrail(journal, {"x": hostile}).record(decision(hostile, method=hostile))
    journal.close()
    assert len(list(read(tmp_path, never, span=Span(since="2026-01-01")))) == 1
    assert list(read(tmp_path, never, span=Span(until="2000-01-01"))) == []


def test_what_is_no_record_is_told_whatever_the_period(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b"rubbish\n")
    problems: list[str] = []
    assert list(read(tmp_path, problems.append, span=Span(since="2030-01-01"))) == []
    assert len(problems) == 1


def test_half_a_line_is_not_read(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b'{"attrs')
    assert len(list(read(tmp_path, never))) == 2
    assert len(list(read(tmp_path, never, last=1))) == 1


def test_a_line_that_is_no_record_is_reported_and_passed_over(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    path = segment_of(tmp_path, writer)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"rubbish\n"
    path.write_bytes(b"".join(lines))
    problems: list[str] = []
    assert len(list(read(tmp_path, problems.append))) == 2
    (problem,) = problems
    assert str(path) in problem
    assert f"byte {len(lines[0])}" in problem


def test_an_unreadable_segment_is_reported(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1)
    path = segment_of(tmp_path, writer)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    problems: list[str] = []
    assert list(read(tmp_path, problems.append)) == []
    assert len(problems) == 1


def test_a_line_without_end_is_reported_and_ends_that_writer(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1)
    write_journal(tmp_path, 1)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b"x" * (MAX_LINE + 2))
    problems: list[str] = []
    assert len(list(read(tmp_path, problems.append))) == 2
    assert len(problems) == 1


def test_following_shows_what_comes_from_old_and_new_writers(tmp_path: Path) -> None:
    write_journal(tmp_path, 2)
    follower = Follower(tmp_path, never)
    assert follower.poll() == []
    first = Journal.open(tmp_path, clock=SteppingClock(NOON_NS + 10**9))
    second = Journal.open(tmp_path, clock=SteppingClock(NOON_NS))
    AuditTrail(first, {}).record(decision("late.example"))
    AuditTrail(second, {}).record(decision("early.example"))
    assert hosts(follower.poll()) == ["early.example", "late.example"]
    assert follower.poll() == []
    first.close()
    second.close()


def test_following_waits_for_the_other_half_of_a_line(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 1)
    path = segment_of(tmp_path, writer)
    follower = Follower(tmp_path, never)
    write_journal(tmp_path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert follower.poll() == []
    path.write_bytes(whole)
    assert hosts(follower.poll()) == ["h2.example"]


def test_the_line_of_the_design_page(tmp_path: Path) -> None:
    """Flat, sorted, compact, nulls kept."""
    journal = Journal.open(tmp_path, clock=SteppingClock(NOON_NS - 1_000_000))
    common: dict[str, Value] = {
        "execution.id": "r-1",
        "session.id": "s-1",
        "sandbox.enforced": True,
    }
    AuditTrail(journal, common).record(decision())
    journal.close()
    (record,) = read(tmp_path, never)
    line = flat_line(record)
    flat = json.loads(line)
    uid = flat.pop("log.record.uid")
    assert uid.endswith("-1")
    assert json.dumps(flat, sort_keys=True, separators=(",", ":")) == (
        '{"approval.id":null,"client.address":"127.0.0.1:40312",'
        '"connection.id":"c-01JD2QABCDEFGHJKMNPQRSTVWX","event.name":"netproxy.policy_decision",'
        '"event.timestamp":"2026-01-02T03:04:05.678Z","execution.id":"r-1",'
        '"http.request.method":"CONNECT","netproxy.policy.explanation":null,'
        '"network.policy.decision":"deny",'
        '"network.policy.override":false,"network.policy.reason":"not_allowed",'
        '"network.policy.scope":"domain","network.policy.source":"baseline_policy",'
        '"network.transport.protocol":"https","sandbox.enforced":true,"security_rule.name":null,'
        '"server.address":"example.com","server.port":443,"session.id":"s-1"}'
    )
    assert list(json.loads(line)) == sorted(json.loads(line))


def test_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="no audit journal"):
        read(tmp_path, never)
