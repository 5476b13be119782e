"""The page is written where it is asked for, and for its owner only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.auditing import program, run, usage_error, write_two_runs
from tests.support.decisions import decided, write_events
from tests.support.pages import assert_inert

if TYPE_CHECKING:
    from tests.support.auditing import Capture


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path)


def test_a_file_that_nobody_else_reads(capsys: Capture, journal: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    assert run(capsys, "report", "--audit-dir", journal, "--output", output) == (0, "", "")
    assert output.stat().st_mode & 0o777 == 0o600
    text = assert_inert(output.read_text()).text
    assert "2026-01-02 03:04:05Z to 2026-01-02 03:04:05Z" in text
    assert "a.example:443" in text


def test_a_file_of_others_is_replaced(capsys: Capture, journal: Path, tmp_path: Path) -> None:
    """Whoever may read it, or has it open, sees nothing of the page."""
    output = tmp_path / "report.html"
    output.write_text("what was there\n")
    output.chmod(0o666)
    there = sorted(tmp_path.iterdir())
    with output.open() as held:
        assert run(capsys, "report", "--audit-dir", journal, "--output", output) == (0, "", "")
        assert held.read() == "what was there\n"
    assert output.stat().st_mode & 0o777 == 0o600
    assert output.read_text().startswith("<!DOCTYPE html>")
    assert sorted(tmp_path.iterdir()) == there


def test_a_link_is_not_followed(capsys: Capture, journal: Path, tmp_path: Path) -> None:
    target, output = tmp_path / "target", tmp_path / "report.html"
    target.write_text("somebody's\n")
    output.symlink_to(target)
    status, _, err = run(capsys, "report", "--audit-dir", journal, "--output", output)
    assert (status, err.count("\n")) == (73, 1)
    assert err.startswith(f"netproxy audit report: {output}: a symbolic link; ")
    assert (target.read_text(), output.is_symlink()) == ("somebody's\n", True)


def test_a_device_stays_one(capsys: Capture, journal: Path) -> None:
    words = ("report", "--audit-dir", journal, "--output", "/dev/null")
    assert run(capsys, *words) == (0, "", "")
    assert Path("/dev/null").is_char_device()


def test_a_page_that_has_no_room_changes_nothing(journal: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("what was there\n")
    there = sorted(tmp_path.iterdir())
    done = subprocess.run(
        ["prlimit", "--fsize=100", *program("report", "--audit-dir", journal, "--output", output)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = f"netproxy audit report: {output}: File too large\n"
    assert (done.returncode, done.stderr) == (73, told)
    assert (output.read_text(), sorted(tmp_path.iterdir())) == ("what was there\n", there)


def test_standard_output_is_utf_8(tmp_path: Path) -> None:
    write_events(tmp_path, decided("bücher.example", allowed=False))
    done = subprocess.run(
        program("report", "--audit-dir", tmp_path, "--output", "-"),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "bücher.example" in done.stdout.decode()


def test_on_standard_output_and_of_a_period(capsys: Capture, journal: Path) -> None:
    since = ("--since", "2026-01-02T03:04:05.682Z")
    status, out, _ = run(capsys, "report", *since, "--audit-dir", journal, "--output", "-")
    assert status == 0
    assert "a.example" not in out
    assert out.startswith("<!DOCTYPE html>")


def test_where_it_can_not_be_written(capsys: Capture, journal: Path, tmp_path: Path) -> None:
    output = tmp_path / "none" / "report.html"
    status, _, err = run(capsys, "report", "--audit-dir", journal, "--output", output)
    assert (status, err.count("\n")) == (73, 1)
    assert err.endswith("No such file or directory\n")


def test_without_a_place_it_is_bad_usage(capsys: Capture, journal: Path) -> None:
    assert "--output" in usage_error(capsys, "report", "--audit-dir", journal)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_it_and_runs_nothing(capsys: Capture, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    write_events(tmp_path / "audit", decided(hostile, allowed=False))
    output = tmp_path / "report.html"
    run(capsys, "report", "--audit-dir", tmp_path / "audit", "--output", output)
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=500",
            "--dump-dom", output.as_uri(),
        ],
        env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert "<title>netproxy audit report</title>" in done.stdout
    assert "&lt;img src=x" in done.stdout
    assert_inert(done.stdout.replace(' style=""', ""))
