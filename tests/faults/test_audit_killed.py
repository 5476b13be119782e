"""kill -9 while it decides: what a gateway has dialled is on record. `make soak` does it often."""

from __future__ import annotations

import signal
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
