"""What a run needs before it begins is looked at before it begins."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from netproxy.app.footing import unfit, working_directory
from netproxy.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_here_it_is_all_there() -> None:
    assert unfit() is None


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    why = "the working directory is gone; change to one that is there"
    assert unfit() == why
    with pytest.raises(InvalidSettings, match=why):
        working_directory()


def test_a_folder_that_can_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_override: None
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.chmod(0)
    assert "can't be entered" in str(unfit())
    folder.chmod(0o700)


def test_no_word_of_the_kernels_on_processes(tmp_path: Path) -> None:
    assert unfit(str(tmp_path)) == (
        f"there is no {tmp_path}; mount it: mount -t proc proc {tmp_path}"
    )


def test_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (20, 4096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    assert unfit() == (
        "only 20 files may be open, and a run needs 64; raise the limit: ulimit -n 256"
    )
    limits["now"] = (20, 20)
    assert "have the hard limit raised" in str(unfit())
    limits["now"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert unfit() is None
