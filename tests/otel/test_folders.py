from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from otel import folders
from otel.errors import JournalBroken

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_parents_are_made_private(tmp_path: Path) -> None:
    folders.make_private(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_fifo_is_not_read_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JournalBroken, match="not a regular file"):
        folders.open_for_reading(tmp_path / "pipe")


def test_only_what_looks_like_ours_is_listed(tmp_path: Path) -> None:
    writer = "w-01JD2QABCDEFGHJKMNPQRSTVWX"
    for name in (writer, "lost+found", "w-short", "w-01jd2qabcdefghjkmnpqrstvwx"):
        (tmp_path / name).mkdir()
    for name in ("00000002.jsonl", "00000010.jsonl", "1.jsonl", "00000003.jsonl.bak", "lock"):
        (tmp_path / writer / name).touch()
    assert folders.writer_names(tmp_path) == [writer]
    assert folders.segment_numbers(tmp_path / writer) == [2, 10]
