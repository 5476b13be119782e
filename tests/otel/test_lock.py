from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from otel.lock import is_live, try_lock

if TYPE_CHECKING:
    from pathlib import Path


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    held = try_lock(folder, "lock")
    assert held is not None
    assert try_lock(folder, "lock") is None
    assert is_live(tmp_path)
    os.close(held)
    assert not is_live(tmp_path)
    again = try_lock(folder, "lock")
    assert again is not None
    os.close(again)
    os.close(folder)


def test_looking_does_not_take_it(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    assert not is_live(tmp_path)
    first = try_lock(folder, "lock")
    assert first is not None
    os.close(first)
    assert not is_live(tmp_path)
    second = try_lock(folder, "lock")
    assert second is not None
    os.close(second)
    os.close(folder)


@pytest.mark.parametrize("there", ["closed", "link", "fifo", "folder"])
@pytest.mark.usefixtures("no_override")
def test_a_lock_that_can_not_be_opened_is_not_held(tmp_path: Path, there: str) -> None:
    path = tmp_path / "lock"
    match there:
        case "closed":
            path.touch(mode=0)
        case "link":
            path.symlink_to("lock")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    assert not is_live(tmp_path)
