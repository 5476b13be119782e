from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from otel.backlog import Backlog
from otel.chain import parse
from otel.config import ShipLimits
from otel.errors import JournalBroken
from otel.folders import START
from otel.set_aside import set_aside
from tests.support.journals import segment_of, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    from otel.backlog import Entry


def entries(directory: Path) -> tuple[Path, list[Entry]]:
    writer = write_journal(directory, 3)
    folder = directory / writer
    return folder, Backlog(folder, "ship-x", start=START, limits=ShipLimits()).next_batch()


def test_what_is_kept_is_the_journals_own_line(tmp_path: Path) -> None:
    folder, batch = entries(tmp_path)
    set_aside(folder, "ship-x", batch[1:2])
    kept = folder / "rejected" / "ship-x" / "0000000002.jsonl"
    written = segment_of(tmp_path, folder.name).read_bytes().splitlines(keepends=True)
    assert kept.read_bytes() == written[1]
    record = parse(kept.read_bytes().rstrip(b"\n"))
    assert record.digest == record.expected_digest


def test_a_batch_of_which_some_were_rejected_is_one_file(tmp_path: Path) -> None:
    folder, batch = entries(tmp_path)
    set_aside(folder, "ship-x", batch)
    set_aside(folder, "ship-x", batch)  # again, after a crash
    (kept,) = (folder / "rejected" / "ship-x").iterdir()
    assert kept.name == "0000000001-0000000003.jsonl"
    assert kept.read_bytes().count(b"\n") == 3


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder, batch = entries(tmp_path)
    set_aside(folder, "ship-x", batch[:1])
    kept = folder / "rejected" / "ship-x" / "0000000001.jsonl"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, batch = entries(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (folder / "rejected").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((OSError, JournalBroken)):
        set_aside(folder, "ship-x", batch)
    assert not list((tmp_path / "elsewhere").iterdir())
