"""A secret is read only where nobody else, and no command, could have read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.secret_file import OTHERS_WRITE, read_secret
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "secret"
    path.parent.mkdir()
    path.write_text("x")
    path.chmod(0o600)
    return path


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(InvalidSettings) as caught:
        read_secret("key", path, folder=folder)
    (what,) = caught.value.problems
    return what


def test_its_owners_own_file_is_read(file: Path) -> None:
    assert read_secret("key", file, folder=file.parent) == b"x"


def test_one_that_a_command_could_see_is_refused(file: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("x")
    link = file.parent / "link"
    link.symlink_to(outside)
    for path in (outside, link):
        what = f"key must lie in {file.parent}, which a command can't see"
        assert refusal(path, file.parent) == what


def test_one_that_others_may_read_is_refused_unless_that_is_meant(file: Path) -> None:
    file.chmod(0o640)
    assert refusal(file, file.parent) == f"key: {file}: others may open it: chmod 600"
    assert read_secret("key", file, folder=file.parent, forbidden=OTHERS_WRITE) == b"x"


def test_one_that_is_not_there_is_named(file: Path) -> None:
    absent = file.parent / "absent"
    assert refusal(absent, file.parent) == f"key: {absent}: No such file or directory"
