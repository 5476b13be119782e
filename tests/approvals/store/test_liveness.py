from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from approvals.store.liveness import LockedFiles

if TYPE_CHECKING:
    from pathlib import Path

LIVING = """
import pathlib, sys, time
from approvals.store.liveness import LockedFiles
LockedFiles(pathlib.Path(sys.argv[1])).begin("p-1")
print("lives", flush=True)
time.sleep(60)
"""


def test_a_gateway_lives_until_it_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "approvals.db"
    files = LockedFiles(database)
    assert not files.is_live("p-1")
    command = [sys.executable, "-c", LIVING, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"lives\n"
        assert files.is_live("p-1")
        other.send_signal(signal.SIGKILL)
    assert not files.is_live("p-1")
    files.end("p-1")
    files.end("p-1")
    assert list(tmp_path.joinpath("approvals.db.gateways").iterdir()) == []


def test_one_that_ends_is_no_longer_live(tmp_path: Path) -> None:
    ours, theirs = (LockedFiles(tmp_path / "approvals.db") for _ in range(2))
    ours.begin("p-1")
    ours.begin("p-1")
    assert theirs.is_live("p-1")
    assert ours.is_live("p-1")
    ours.end("p-1")
    assert not theirs.is_live("p-1")


def test_a_lock_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    ours, theirs = (LockedFiles(tmp_path / "approvals.db") for _ in range(2))
    ours.begin("p-1")
    (tmp_path / "approvals.db.gateways" / "p-1").unlink()
    assert not theirs.is_live("p-1")
    ours.begin("p-1")
    assert theirs.is_live("p-1")
    ours.end("p-1")


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "approvals.db.gateways").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Not a directory"):
        LockedFiles(tmp_path / "approvals.db").begin("p-1")
