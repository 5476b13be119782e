"""`--dry-run` prints every part of the fence, and starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.cli.run_options import parse_run
from netproxy.app.dry_run import show
from netproxy.app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def shown(home: Path, *flags: str) -> int:
    environ = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "MARK": "a-value",
        "A_TOKEN": "x",
    }
    options = parse_run(["--dry-run", *flags, "--", "touch", "x\x1b[2J"])
    return show(load_settings(options, environ), environ)


def test_what_a_run_would_see_and_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert shown(tmp_path, "--limit", "processes=9") == 0
    out = capsys.readouterr().out
    for line in (
        "  read /",
        f"  write {work}",
        f"  {work}/.vscode",
        "  MARK",
        "  127.0.0.1:3128 HTTP proxy",
        "  processes 9",
    ):
        assert f"{line}\n" in out
    assert "a-value" not in out
    assert "  A_TOKEN" in out.partition("left out")[2]
    assert "\x1b" not in out
    assert list(work.iterdir()) == []


def test_without_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path, "--no-sandbox") == 0
    out = capsys.readouterr().out
    assert "without a sandbox" in out
    assert "files" not in out
