"""kill -9 while it decides: what a gateway has dialled is on record. `make soak` does it often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.killing import checked, killed
from otel import AuditMode, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("mode", AuditMode)
def test_whatever_was_dialled_is_on_record(tmp_path: Path, mode: AuditMode) -> None:
    outcome = killed(tmp_path, mode, connections=600, seed=1)
    assert outcome.recorded, "it was killed before its first decision"
    assert not outcome.unrecorded
    assert checked(tmp_path / "audit") >= len(outcome.dialled)


def test_a_stop_under_load_is_the_last_that_is_recorded(tmp_path: Path) -> None:
    outcome = killed(tmp_path, AuditMode.WRITTEN, connections=600, seed=2, by=signal.SIGTERM)
    assert not outcome.unrecorded
    checked(tmp_path / "audit")
    records = list(read(tmp_path / "audit", print))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    # The signature under it comes behind it.
    names = [record.name for record in records if record.name != "netproxy.audit.checkpoint"]
    assert names[-1] == "netproxy.gateway.stopped"
    stopped = next(record for record in records if record.name == names[-1])
    assert stopped.attributes["netproxy.shutdown.reason"] == "signal"


# As it has its first record, and before it hears signals in its event loop.
_TOLD_EARLY = """
import os, signal, sys
from netproxy.app import serve
number = int(sys.argv.pop(1))
serve.collect_seldom = lambda: os.kill(os.getpid(), number)
from netproxy.app.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_service_that_is_stopped_before_it_serves_has_its_end_on_record(
    tmp_path: Path, number: signal.Signals
) -> None:
    words = ("serve", "--listen", "127.0.0.1:0", "--audit-dir", str(tmp_path / "audit"))
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_EARLY, str(int(number)), *words],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -number, done.stderr
    names = [record.name for record in read(tmp_path / "audit", print)]
    assert names[0] == "netproxy.gateway.started"
    assert "netproxy.gateway.stopped" in names
