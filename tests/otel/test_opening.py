from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from otel import Journal, JournalBroken, folders
from otel.opening import last_record, shutdown, take
from otel.segment import Tail, open_last
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path


def tail_of(directory: Path, writer: str) -> Tail:
    base = folders.open_base(directory)
    folder = folders.open_folder(base, writer)
    segment, tail = open_last(folder)
    segment.close()
    os.close(folder)
    os.close(base)
    return tail


def test_a_writer_is_taken_once(tmp_path: Path) -> None:
    base = folders.open_base(tmp_path)
    first, *descriptors = take(base)
    second, *others = take(base)
    assert first != second
    for descriptor in (*descriptors, *others, base):
        os.close(descriptor)


def test_the_record_that_the_chain_goes_on_from(tmp_path: Path) -> None:
    writer = write_journal(tmp_path, 2)
    last = last_record(writer, tail_of(tmp_path, writer))
    assert last is not None
    assert last.seq == 2
    assert last_record(writer, Tail(number=1, size=0, torn_bytes=0, last_line=None)) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(b"h2.example", b"h3.example", "the last record was changed", id="edited"),
        pytest.param(b'"seq":2', b'"seq":2 ', "not in canonical form", id="respelled"),
    ],
)
def test_a_changed_end_is_not_gone_on_from(
    tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    writer = write_journal(tmp_path, 2)
    path = segment_of(tmp_path, writer)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(JournalBroken, match=said):
        last_record(writer, tail_of(tmp_path, writer))


@pytest.mark.parametrize(
    ("name", "cause", "said"),
    [
        pytest.param("netproxy.gateway.stopped", None, "clean", id="stopped"),
        pytest.param("netproxy.policy_decision", None, "unclean", id="killed"),
        pytest.param("netproxy.audit.checkpoint", "shutdown", "clean", id="signed-stop"),
        pytest.param("netproxy.audit.checkpoint", "closed", "unclean", id="signed-crash"),
        pytest.param("netproxy.audit.checkpoint", "records", "unclean", id="killed-after-signing"),
    ],
)
def test_what_the_last_record_says_of_the_end(
    tmp_path: Path, name: str, cause: str | None, said: str
) -> None:
    assert shutdown(None) == "none"
    journal = Journal.open(tmp_path)
    journal.append(name, 9, {"netproxy.checkpoint.cause": cause})
    journal.close()
    assert shutdown(last_record(journal.writer, tail_of(tmp_path, journal.writer))) == said
