from __future__ import annotations

import json
import signal
import subprocess  # follow needs a process of its own
from typing import TYPE_CHECKING

import pytest

from tests.support.auditing import program, run, write_two_runs
from tests.support.journals import write_journal
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.auditing import Capture


@pytest.fixture
def two_runs(tmp_path: Path) -> Path:
    return write_two_runs(tmp_path)


def test_tail_shows_the_last(capsys: Capture, two_runs: Path) -> None:
    _, out, _ = run(capsys, "tail", "-n", 1, "--audit-dir", two_runs)
    assert out == "2026-01-02 03:04:05.682Z  gateway.stopped  session.name=mine run=r-2\n"


def test_follow_shows_what_comes_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    write_journal(tmp_path, 3)
    process = subprocess.Popen(
        program("tail", "-n", 1, "--follow", "--json", "--audit-dir", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    shown = [json.loads(process.stdout.readline())["server.address"]]
    write_journal(tmp_path, 2)
    shown += [json.loads(process.stdout.readline())["server.address"] for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert shown == ["h3.example", "h4.example", "h5.example"]
    assert (process.returncode, errors) == (130, "")
