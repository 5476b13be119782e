"""Only what is a file is read, and nothing is waited for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from netproxy.app.regular_file import read_regular
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_content_and_owner(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello")
    content, found = read_regular(tmp_path / "a")
    assert (content, found.st_uid) == (b"hello", os.getuid())


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "a")


@pytest.mark.parametrize("kind", ["folder", "fifo", "device"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InvalidSettings, match="is not a regular file"):
        read_regular(path)


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(InvalidSettings, match="too many levels"):
        read_regular(tmp_path / "a")


def test_more_than_any_settings_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    assert len(read_regular(tmp_path / "a")[0]) == (32 << 20) + 1
