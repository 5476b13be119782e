"""`--dry-run` prints every part of the fence, and starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.cli.run_options import parse_run
from netproxy.app.dry_run import show
from netproxy.app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = "  captured: TCP to any address, and questions for names\n"


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
    assert "across the fence" not in out
    assert list(work.iterdir()) == []


def test_without_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path, "--no-sandbox") == 0
    out = capsys.readouterr().out
    assert "without a sandbox" in out
    assert "files" not in out
    assert "ignore" not in out


@pytest.mark.parametrize(
    ("choice", "lines"),
    [
        pytest.param("auto", f"{TAKEN}  where this kernel can't: no network\n", id="auto"),
        pytest.param("off", "  no network\n", id="off"),
        pytest.param("only", f"{TAKEN}  where this kernel can't: no run\n", id="only"),
    ],
)
def test_what_becomes_of_programs_that_ignore_the_proxies(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    choice: str,
    lines: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path, "--capture", choice) == 0
    assert f"programs that ignore the proxies\n{lines}kernel filter\n" in capsys.readouterr().out


def test_services_across_the_fence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the settings file as well; what isn't there yet can be shown."""
    work, file = tmp_path / "work", tmp_path / ".config/netproxy/config.toml"
    work.mkdir()
    monkeypatch.chdir(work)
    file.parent.mkdir(parents=True)
    file.write_text('[sandbox]\nexpose = ["9000"]\n')
    flags = ("--reach", "db=[::1]:5432", "--expose", "8080:18080", "--unix", "/run/absent.sock")
    assert shown(tmp_path, *flags) == 0
    assert (
        "services across the fence\n"
        "  reach db: 127.0.0.1:5432 inside leads to [::1]:5432\n"
        "  expose 9000: 127.0.0.1:9000 of this host leads to it\n"
        "  expose 8080: 127.0.0.1:18080 of this host leads to it\n"
        "  unix /run/absent.sock\n"
        "kernel filter\n"
    ) in capsys.readouterr().out


def test_what_the_run_would_warn_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ("--unix", "/run/docker.sock", "--allow", "example.com", "--deny", "example.com")
    assert shown(tmp_path, *flags) == 0
    *_, title, rule, socket = capsys.readouterr().out.splitlines()
    assert title == "warnings"
    assert "example.com" in rule
    assert socket.startswith("  --unix /run/docker.sock: that is Docker, ")
