from __future__ import annotations

import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel import Journal, JournalBroken, Kind, State, Verdict, verify
from otel.verification import check
from tests.support.evidence import lines_of, put_lines, signed_journal
from tests.support.journals import segment_of, write_journal

COUNT = 8


@cache
def sample() -> tuple[str, tuple[bytes, ...]]:
    """A writer and its lines."""
    with TemporaryDirectory() as folder:
        writer = write_journal(Path(folder), COUNT)
        content = segment_of(Path(folder), writer).read_bytes()
    return writer, tuple(content.splitlines(keepends=True))


@cache
def stranger() -> tuple[bytes, ...]:
    with TemporaryDirectory() as folder:
        writer = write_journal(Path(folder), COUNT)
        return tuple(segment_of(Path(folder), writer).read_bytes().splitlines(keepends=True))


def judge(lines: list[bytes] | tuple[bytes, ...], *, live: bool = False) -> Verdict:
    writer, _ = sample()
    # Split again: an edit may have made or removed a line feed.
    again = b"".join(lines).splitlines(keepends=True) if lines else []
    numbered = (("1.jsonl", number, line) for number, line in enumerate(_by_lf(again), 1))
    return check(writer, numbered, live=live)


def _by_lf(lines: list[bytes]) -> list[bytes]:
    whole = b"".join(lines)
    parts = [part + b"\n" for part in whole.split(b"\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


def kinds(verdict: Verdict) -> list[Kind]:
    return [finding.kind for finding in verdict.findings]


def test_an_untouched_chain_holds() -> None:
    verdict = judge(sample()[1])
    assert verdict.holds
    assert verdict.records == COUNT


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    content = bytearray(b"".join(sample()[1]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert not judge([bytes(content)]).holds


@given(st.data())
def test_any_inserted_or_removed_byte_is_found(data: st.DataObject) -> None:
    content = b"".join(sample()[1])
    place = data.draw(st.integers(0, len(content) - 2))
    if data.draw(st.booleans()):
        byte = data.draw(st.binary(min_size=1, max_size=1))
        changed = content[:place] + byte + content[place:]
    else:
        changed = content[:place] + content[place + 1 :]
    assert changed == content or not judge([changed]).holds


@given(st.integers(0, COUNT - 2), st.integers(1, COUNT))
def test_any_cut_but_at_the_end_is_found(start: int, length: int) -> None:
    lines = list(sample()[1])
    del lines[start : min(start + length, COUNT - 1)]
    verdict = judge(lines)
    assert kinds(verdict) == [Kind.GAP]
    assert verdict.findings[0].line == start + 1


@given(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))
def test_any_swap_is_found(first: int, second: int) -> None:
    lines = list(sample()[1])
    lines[first], lines[second] = lines[second], lines[first]
    assert judge(lines).holds == (first == second)


@given(st.permutations(range(COUNT)))
def test_no_other_order_holds(order: list[int]) -> None:
    lines = sample()[1]
    assert judge([lines[place] for place in order]).holds == (order == sorted(order))


@given(st.integers(0, COUNT - 1), st.integers(0, COUNT))
def test_any_duplicate_is_found(which: int, where: int) -> None:
    lines = list(sample()[1])
    lines.insert(where, lines[which])
    assert not judge(lines).holds


@given(st.integers(0, COUNT - 1), st.integers(0, COUNT))
def test_a_foreign_record_is_found_and_named(which: int, where: int) -> None:
    lines = list(sample()[1])
    lines.insert(where, stranger()[which])
    verdict = judge(lines)
    assert kinds(verdict) == [Kind.FOREIGN]
    assert verdict.findings[0].line == where + 1


def test_a_duplicate_is_told_once() -> None:
    lines = list(sample()[1])
    lines.insert(3, lines[2])
    assert kinds(judge(lines)) == [Kind.DUPLICATE]


@given(st.integers(0, COUNT), st.binary(min_size=1).filter(lambda b: b"\n" not in b))
def test_garbage_is_told_once_and_the_rest_is_still_checked(where: int, garbage: bytes) -> None:
    lines = list(sample()[1])
    lines.insert(where, garbage + b"\n")
    assert kinds(judge(lines)) == [Kind.MALFORMED]
    lines[-1] = lines[-1].replace(b"example", b"exemple")
    found = judge(lines)
    assert not found.holds
    assert found.findings[-1].kind in {Kind.EDITED, Kind.MALFORMED}


def test_a_place_is_told_exactly() -> None:
    lines = list(sample()[1])
    lines[4] = lines[4].replace(b"h5.example", b"h6.example")
    (finding,) = judge(lines).findings
    assert (finding.kind, finding.file, finding.line, finding.seq) == (Kind.EDITED, "1.jsonl", 5, 5)


def test_a_rewritten_hash_only_moves_the_break() -> None:
    """Whoever hashes an edited record anew has to hash all that follow, too."""
    import hashlib
    import json

    lines = list(sample()[1])
    fields = json.loads(lines[4].replace(b"h5.example", b"h6.example"))
    fields.pop("hash")
    body = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    fields["hash"] = hashlib.sha256(bytes.fromhex(fields["prev"]) + body).hexdigest()
    lines[4] = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    verdict = judge(lines)
    assert kinds(verdict) == [Kind.UNLINKED]
    assert verdict.findings[0].line == 6


def test_half_a_line_at_the_end_is_torn_unless_the_writer_lives() -> None:
    *lines, last = sample()[1]
    torn = [*lines, last[:40]]
    assert kinds(judge(torn)) == [Kind.TORN]
    assert judge(torn, live=True).holds


def test_half_a_line_in_the_middle_is_never_a_live_write() -> None:
    writer, lines = sample()
    numbered = [("1.jsonl", 1, lines[0]), ("1.jsonl", 2, lines[1][:40]), ("2.jsonl", 1, lines[1])]
    assert kinds(check(writer, numbered, live=True)) == [Kind.TORN]


def test_what_a_chain_alone_can_not_show() -> None:
    """Records cut off at the end leave no trace: the module says so, and exported hashes do."""
    lines = sample()[1]
    assert judge(lines[:-3]).holds
    assert judge([]).holds


def test_the_links_are_those_of_the_lines() -> None:
    from otel.chain import parse

    records = [parse(line[:-1]) for line in sample()[1]]
    assert all(after.previous == before.digest for before, after in pairwise(records))


def test_a_live_writer_is_said_to_be_live(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    assert verify(tmp_path)[0].live
    journal.close()
    assert not verify(tmp_path)[0].live


def test_a_torn_file_is_found_on_disk(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    path = segment_of(tmp_path, writer)
    os.truncate(path, path.stat().st_size - 5)
    (verdict,) = verify(tmp_path)
    assert kinds(verdict) == [Kind.TORN]
    assert verdict.findings[0].file == str(path)
    assert verdict.findings[0].line == 2


def test_a_missing_segment_is_a_gap(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    path = segment_of(tmp_path, writer)
    lines = path.read_bytes().splitlines(keepends=True)
    segment_of(tmp_path, writer, 3).write_bytes(lines[2])
    path.write_bytes(lines[0])
    (verdict,) = verify(tmp_path)
    assert kinds(verdict) == [Kind.GAP]


def test_one_unreadable_writer_does_not_hide_the_others(tmp_path: Path) -> None:
    first = Journal.open(tmp_path)
    write_journal(tmp_path, 2)
    first.close()
    path = segment_of(tmp_path, first.writer)
    path.unlink()
    path.symlink_to("/dev/zero")
    verdicts = verify(tmp_path)
    assert sorted(kinds(verdict) for verdict in verdicts) == [[], [Kind.UNREADABLE]]


@pytest.mark.usefixtures("no_override")
def test_a_folder_or_a_lock_that_is_closed_does_not_hide_the_others(tmp_path: Path) -> None:
    whole = write_journal(tmp_path, 2)
    (tmp_path / whole / "lock").chmod(0)
    closed = tmp_path / "w-01JD2QABCDEFGHJKMNPQRSTVWX"
    closed.mkdir(mode=0)
    found = {verdict.writer: verdict for verdict in verify(tmp_path)}
    assert (kinds(found[whole]), found[whole].records, found[whole].live) == ([], 2, False)
    assert kinds(found[closed.name]) == [Kind.UNREADABLE]
    assert found[closed.name].findings[0].file == str(closed)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A journal that lacks its end, which shows by the remembered checkpoint only."""
    writer = signed_journal(tmp_path, 9)
    put_lines(tmp_path, writer, lines_of(tmp_path, writer)[:-3])
    (verdict,) = verify(tmp_path)
    assert verdict.completeness.state is State.TRUNCATED
    return tmp_path


@pytest.mark.parametrize("how", ["folder", "file", "no folder", "no file"])
@pytest.mark.usefixtures("no_override")
def test_a_cut_is_not_hidden_by_closing_what_shows_it(cut: Path, how: str) -> None:
    heads = cut / "heads"
    (head,) = heads.iterdir()
    hiding = head if how.endswith("file") else heads
    match how:
        case "folder" | "file":
            hiding.chmod(0)
        case "no folder":
            heads.rename(cut / "other")
            heads.touch()
        case "no file":
            head.unlink()
            os.mkfifo(head)
    (verdict,) = verify(cut)
    hiding.chmod(0o700)
    (finding,) = verdict.findings
    assert (finding.kind, finding.file) == (Kind.UNREADABLE, str(hiding))


@pytest.mark.usefixtures("no_override")
def test_a_chain_is_gone_though_its_head_is_closed(cut: Path) -> None:
    (head,) = (cut / "heads").iterdir()
    head.chmod(0)
    (cut / head.name).rename(cut / "elsewhere")
    write_journal(cut, 2)
    *_, gone = sorted(verify(cut), key=lambda verdict: verdict.writer == head.name)
    assert (gone.writer, gone.completeness.state) == (head.name, State.MISSING)
    assert kinds(gone) == [Kind.UNREADABLE]


@pytest.mark.usefixtures("no_override")
def test_chains_that_can_not_be_seen_are_not_gone(cut: Path) -> None:
    cut.chmod(0o300)
    with pytest.raises(JournalBroken, match="Permission denied"):
        verify(cut)
    cut.chmod(0o700)


def test_no_journal_is_not_a_good_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="no audit journal"):
        verify(tmp_path)
    with pytest.raises(JournalBroken, match="no audit journal"):
        verify(tmp_path / "nothing")
