from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from otel.answers import Delivered, TryLater
from otel.file_sink import FileSink

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

OK = Delivered(rejected=0, message="")


def test_batches_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sink = FileSink(path)
    assert sink.send(b"1\n", 1.0) == OK
    assert sink.send(b"2\n3\n", 1.0) == OK
    assert path.read_bytes() == b"1\n2\n3\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_log_rotation_moved_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sink = FileSink(path)
    sink.send(b"1\n", 1.0)
    path.rename(tmp_path / "a.jsonl.1")
    sink.send(b"2\n", 1.0)
    assert (tmp_path / "a.jsonl.1").read_bytes() == b"1\n"
    assert path.read_bytes() == b"2\n"


def test_half_a_line_of_a_killed_exporter_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'1\n{"hal')
    FileSink(path).send(b"2\n", 1.0)
    assert path.read_bytes() == b'1\n{"hal\n2\n'


def test_a_disk_that_takes_a_part_gets_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    sink = FileSink(path)
    sink.send(b"1\n", 1.0)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, body: write(fd, body[:1]))
    answer = sink.send(b"2222\n", 1.0)
    assert isinstance(answer, TryLater)
    assert "took 1 of 5 bytes" in answer.why
    assert path.read_bytes() == b"1\n"


def test_a_sync_that_fails_delivers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor must not move on what may not be on the disk."""
    path = tmp_path / "a.jsonl"

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert FileSink(path).send(b"1\n", 1.0) == TryLater(why="Input/output error")
    assert path.read_bytes() == b""


def test_what_is_no_file_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", ".", "missing/a.jsonl"):
        assert isinstance(FileSink(tmp_path / name).send(b"1\n", 1.0), TryLater)
    assert not (tmp_path / "target").exists()
