from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from approvals.errors import StoreUnavailable
from approvals.store import place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_folder_and_file_are_made_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "approvals.db"
    before = os.umask(0)
    try:
        found = place.prepare(path)
    finally:
        os.umask(before)
    assert found == place.prepare(path)
    assert place.is_still(path, found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def linked(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def dangling(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"")
    path.symlink_to(path.parent / "elsewhere")


def log_linked(path: Path) -> None:
    path.touch(0o600)
    (path.parent / "approvals.db-wal").symlink_to("/etc/passwd")


def readable(path: Path) -> None:
    path.touch(0o644)


def twice(path: Path) -> None:
    path.touch(0o600)
    path.with_name("second").hardlink_to(path)


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def folder(path: Path) -> None:
    path.mkdir()


def foreign(path: Path) -> None:
    path.touch(0o600)
    if os.getuid():
        pytest.skip("needs root")
    os.chown(path, 4242, 4242)


def open_folder(path: Path) -> None:
    path.parent.chmod(0o777)


def foreign_folder(path: Path) -> None:
    if os.getuid():
        pytest.skip("needs root")
    os.chown(path.parent, 4242, 4242)


def file_as_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (linked, "not a regular file"),
        (dangling, "not a regular file"),
        (log_linked, "-wal: not a regular file"),
        (readable, "chmod 600"),
        (twice, "second name"),
        (fifo, "not a regular file"),
        (folder, "not a regular file"),
        (foreign, "belongs to user 4242"),
        (open_folder, "chmod 700"),
        (foreign_folder, "belongs to user 4242"),
        (file_as_folder, "Not a directory"),
    ],
)
def test_what_others_could_have_put_there_is_refused(
    tmp_path: Path, put: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "state" / "approvals.db"
    path.parent.mkdir(0o700)
    put(path)
    with pytest.raises(StoreUnavailable, match=why) as refused:
        place.prepare(path)
    assert "\n" not in str(refused.value)
    assert str(path.parent) in str(refused.value)


def test_a_disk_that_other_hosts_share_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    known = place._file_system(here)
    os.close(here)
    assert known not in (0, *place._SHARED)
    monkeypatch.setitem(place._SHARED, known, "NFS")
    with pytest.raises(StoreUnavailable, match="on NFS; the store needs a disk of this host"):
        place.prepare(tmp_path / "approvals.db")


def test_a_file_that_went_away_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "approvals.db"
    found = place.prepare(path)
    path.rename(tmp_path / "away")
    assert not place.is_still(path, found)
    place.prepare(path)
    assert not place.is_still(path, found)
