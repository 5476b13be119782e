from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from otel import Journal, JournalBroken, anchor_lines, read_anchors, verify
from tests.support.evidence import lines_of, put_lines, signed_journal
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path


def anchors_of(directory: Path) -> list[str]:
    problems: list[str] = []
    found = list(anchor_lines(directory, problems.append))
    assert problems == []
    return found


def test_the_newest_record_and_the_last_signature(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 3)
    assert write_journal(tmp_path, 0) == writer
    journal = Journal.open(tmp_path)
    journal.append("netproxy.audit.gap", 9, {})
    journal.close()
    (line,) = anchors_of(tmp_path)
    fields = json.loads(line)
    assert (fields["netproxy.audit.seq"], fields["netproxy.checkpoint.seq"]) == (7, 5)
    anchors = read_anchors([line.encode()], "a")
    assert anchors.chains[writer].reaches == 7
    assert len(anchors.keys) == 1


def test_a_chain_that_nobody_signed(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 3)
    (line,) = anchors_of(tmp_path)
    anchors = read_anchors([line.encode()], "a")
    assert (anchors.chains[writer].reaches, anchors.keys) == (3, set())
    (verdict,) = verify(tmp_path, anchors=anchors)
    assert verdict.completeness.anchored == 3


def test_every_chain_has_a_line_but_one_without_records(tmp_path: Path) -> None:
    empty = Journal.open(tmp_path)
    signed_journal(tmp_path, 1)
    assert len(anchors_of(tmp_path)) == 1
    empty.append("netproxy.audit.gap", 9, {})
    empty.close()
    assert len(anchors_of(tmp_path)) == 2


def test_an_end_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    writer = signed_journal(tmp_path, 1)
    put_lines(tmp_path, writer, [*lines_of(tmp_path, writer), b"rubbish\n"])
    problems: list[str] = []
    assert list(anchor_lines(tmp_path, problems.append)) == []
    segment_of(tmp_path, writer).unlink()
    segment_of(tmp_path, writer).symlink_to("/dev/zero")
    assert list(anchor_lines(tmp_path, problems.append)) == []
    assert len(problems) == 2
    with pytest.raises(JournalBroken):
        list(anchor_lines(tmp_path / "none", problems.append))
