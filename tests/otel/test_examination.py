"""A chain that was changed since it was left is never gone on with."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from otel import Journal, examination, keys
from otel.checkpoints import read_mark
from otel.errors import ChainChanged
from otel.examination import examine
from otel.heads import Left
from tests.support.evidence import hashed_anew, keeper, lines_of, put_lines, signed_journal
from tests.support.journals import SteppingClock, decision, segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path


def left(directory: Path, writer: str) -> Left:
    return examine(directory, writer, keys.open_key(directory, None))


def changed(directory: Path, writer: str) -> str:
    """The kind of alarm; and that a keeper takes another writer and leaves this one as it is."""
    before = [path.read_bytes() for path in sorted((directory / writer).iterdir())]
    with pytest.raises(ChainChanged) as caught:
        left(directory, writer)
    kept = keeper(directory)
    journal = Journal.open(directory, clock=SteppingClock(), keeper=kept)
    journal.close()
    assert journal.writer != writer
    (event,) = kept.events()
    assert (event.writer, event.kind) == (writer, caught.value.kind)
    assert [path.read_bytes() for path in sorted((directory / writer).iterdir())] == before
    return caught.value.kind


def unclean(directory: Path, count: int, *, every: int | None = None) -> str:
    """A life that was killed: its last records are signed by nobody."""
    writer = signed_journal(directory, 3, every=every)
    journal = Journal.open(directory, clock=SteppingClock())
    for _ in range(count):
        event = decision()
        journal.append(event.name, event.severity, event.attributes())
    journal.close()
    return writer


def test_after_an_orderly_end_nothing_is_read_but_the_end(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    assert left(tmp_path, writer) == Left(1, 6)
    writer = signed_journal(tmp_path, 3)
    assert left(tmp_path, writer) == Left(2, 12)


def test_after_another_end_the_rest_is_walked(tmp_path: Path) -> None:
    writer = unclean(tmp_path, 5)
    assert left(tmp_path, writer) == Left(1, 6)


def test_an_empty_writer_is_admitted(tmp_path: Path) -> None:
    (tmp_path / "w-01JD2QABCDEFGHJKMNPQRSTVWX").mkdir()
    assert left(tmp_path, "w-01JD2QABCDEFGHJKMNPQRSTVWX") == Left(0, 0)


def test_one_that_was_never_signed_is_admitted_and_its_end_is_read(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 4)
    assert left(tmp_path, writer) == Left(0, 0)
    lines = lines_of(tmp_path, writer)
    put_lines(tmp_path, writer, [*lines[:2], *lines[3:]])
    assert changed(tmp_path, writer) == "sequence"


def test_half_a_line_is_what_a_kill_leaves(tmp_path: Path) -> None:
    writer = unclean(tmp_path, 2)
    with segment_of(tmp_path, writer).open("ab") as file:
        file.write(b'{"attrs":{},"name":"netproxy.audit.checkpoint"')
    assert left(tmp_path, writer) == Left(1, 6)


@pytest.mark.parametrize("kept_lines", range(6))
def test_cut_off(tmp_path: Path, kept_lines: int) -> None:
    """The chain is whole as far as it goes: only what was remembered beside it knows more."""
    writer = signed_journal(tmp_path, 3)
    put_lines(tmp_path, writer, lines_of(tmp_path, writer)[:kept_lines])
    assert changed(tmp_path, writer) == "truncated"


def test_an_older_copy_of_the_folder(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    shutil.copytree(tmp_path / writer, tmp_path / "copy")
    signed_journal(tmp_path, 3)
    shutil.rmtree(tmp_path / writer)
    shutil.move(tmp_path / "copy", tmp_path / writer)
    assert changed(tmp_path, writer) == "truncated"


def test_a_folder_without_its_segments(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    segment_of(tmp_path, writer).unlink()
    assert changed(tmp_path, writer) == "truncated"


@pytest.mark.parametrize("place", range(6, 9))
def test_an_edit_behind_the_last_checkpoint(tmp_path: Path, place: int) -> None:
    writer = unclean(tmp_path, 3)
    lines = lines_of(tmp_path, writer)
    lines[place] = lines[place].replace(b"example.com", b"exemple.com")
    put_lines(tmp_path, writer, lines)
    assert changed(tmp_path, writer) == "hash"


def test_rubbish_and_a_strangers_records_behind_the_last_checkpoint(tmp_path: Path) -> None:
    writer = unclean(tmp_path, 3)
    lines = lines_of(tmp_path, writer)
    put_lines(tmp_path, writer, [*lines[:7], b"rubbish\n", *lines[7:]])
    assert changed(tmp_path, writer) == "hash"


def test_a_chain_that_was_written_anew_without_the_key(tmp_path: Path) -> None:
    """Hashes anybody can make; what is remembered, and the signature, nobody else."""
    writer = signed_journal(tmp_path, 3)

    def edit(fields: dict[str, object]) -> None:
        text = json.dumps(fields["attrs"]).replace("h1.example", "h9.example")
        fields["attrs"] = json.loads(text)

    put_lines(tmp_path, writer, hashed_anew(writer, lines_of(tmp_path, writer), edit))
    assert changed(tmp_path, writer) == "hash"
    shutil.rmtree(tmp_path / "heads")
    assert changed(tmp_path, writer) == "signature"


def test_a_head_that_was_written_by_somebody_else_does_not_vouch(tmp_path: Path) -> None:
    from otel import heads
    from otel.folders import Position

    writer = signed_journal(tmp_path, 3)
    lines = hashed_anew(writer, lines_of(tmp_path, writer), _other_attributes)
    put_lines(tmp_path, writer, lines)
    theirs = keys.open_key(tmp_path / "theirs", None)
    end = Position(1, sum(map(len, lines)))
    heads.save(tmp_path, writer, theirs, end=end, left=heads.Left(1, 6), line=lines[-1][:-1])
    assert changed(tmp_path, writer) == "signature"


def _other_attributes(fields: dict[str, object]) -> None:
    if fields["name"] == "netproxy.policy_decision":
        fields["attrs"] = {}


def test_a_checkpoint_of_an_unknown_key(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    shutil.rmtree(tmp_path / "keys")
    shutil.rmtree(tmp_path / "heads")
    assert changed(tmp_path, writer) == "signature"


def test_a_signature_that_was_moved_to_another_record(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    first, *rest = lines_of(tmp_path, writer)
    put_lines(tmp_path, writer, hashed_anew(writer, [first, first, *rest]))
    shutil.rmtree(tmp_path / "heads")
    assert changed(tmp_path, writer) == "signature"


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    path = segment_of(tmp_path, writer)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert changed_kind(tmp_path, writer) == "unreadable"


def changed_kind(directory: Path, writer: str) -> str:
    with pytest.raises(ChainChanged) as caught:
        left(directory, writer)
    return caught.value.kind


def test_checkpoints_far_back_and_over_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search backwards finds one wherever the blocks are cut."""
    writer = unclean(tmp_path, 8)
    for size in (1, 7, 300, 1000, 4096):
        monkeypatch.setattr(examination, "_CHUNK", size)
        assert left(tmp_path, writer) == Left(1, 6)
    monkeypatch.setattr(examination, "_LOOK_BACK", 2000)
    assert changed_kind(tmp_path, writer) == "checkpoint_missing"
    assert examine(tmp_path, writer, None) == Left(0, 0)  # nobody signs: nothing goes on


def test_the_mark_is_that_of_the_last_checkpoint(tmp_path: Path) -> None:
    from otel.chain import parse

    writer = unclean(tmp_path, 2, every=2)
    records = [parse(line[:-1]) for line in lines_of(tmp_path, writer)]
    last = [record for record in records if record.name == "netproxy.audit.checkpoint"][-1]
    assert left(tmp_path, writer) == Left(
        read_mark(last.attributes, last.timestamp)[0].number, last.seq
    )
