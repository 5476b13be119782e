from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
