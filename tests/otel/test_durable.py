from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from otel import JournalBroken, durable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    assert durable.put_new(folder, "a", b"first")
    assert not durable.put_new(folder, "a", b"second")
    assert (folder / "a").read_bytes() == b"first"
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(folder) == ["a"]  # noqa: PTH208  # with what may have been left beside it


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    durable.replace(tmp_path, "a", b"first")
    with (tmp_path / "a").open("rb") as reader:
        durable.replace(tmp_path, "a", b"second")
        assert reader.read() == b"first"
    assert (tmp_path / "a").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(JournalBroken, match="others may write"):
        durable.replace(tmp_path, "a", b"")


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        durable.put_new(tmp_path, "a", "text")  # type: ignore[arg-type]  # as a bug of ours would
    assert list(tmp_path.iterdir()) == []
