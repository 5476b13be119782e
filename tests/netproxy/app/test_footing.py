"""What a run needs before it begins is looked at before it begins."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from netproxy.app.footing import unfit

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_here_it_is_all_there() -> None:
    assert unfit() is None


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert unfit() == "the working directory is gone; change to one that is there"


def test_a_folder_that_can_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_override: None
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.chmod(0)
    assert "can't be entered" in str(unfit())
    folder.chmod(0o700)


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


def test_closed_streams_are_opened_and_can_be_written(tmp_path: Path) -> None:
    """Whatever was closed: no descriptor of ours takes its number."""
    script = (
        "import os, sys; from netproxy.app.footing import open_standard_streams as o; o();"
        "print('lost'); print('lost', file=sys.stderr); sys.stdout.flush();"
        "os.write(3, repr([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)]).encode())"
    )
    told = tmp_path / "told"
    closing = f'exec "$@" 3>{told} 0<&- 1>&- 2>&-'
    done = subprocess.run(["sh", "-c", closing, "sh", sys.executable, "-c", script], check=False)
    assert told.read_text() == repr(["/dev/null"] * 3)
    assert done.returncode == 0
