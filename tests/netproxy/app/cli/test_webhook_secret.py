"""`netproxy webhook secret` makes a new file that is its owner's alone, and shows nothing of it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from approvals.webhook.signing import parse_secret
from netproxy.app.cli.webhook_secret import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_new_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    assert main([str(first)]) == main([str(second)]) == 0
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    keys = [parse_secret(path.read_text().strip()) for path in (first, second)]
    assert len(keys[0]) == 32
    assert keys[0] != keys[1]
    captured = capsys.readouterr()
    assert "whsec_" not in captured.out + captured.err


def test_an_old_one_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old").write_text("keep me")
    (tmp_path / "link").symlink_to(tmp_path / "old")
    for name in ("old", "link", "no/folder"):
        assert main([str(tmp_path / name)]) == 73
    assert (tmp_path / "old").read_text() == "keep me"
    assert "file exists" in capsys.readouterr().err
