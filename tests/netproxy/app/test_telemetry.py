"""The numbers of one gateway follow its trail and its journal, for as long as it is there."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from netproxy.app.telemetry import Measures, Watched, finish, measured, open_tracing, traced
from otel import AuditTrail
from otel.telemetry_config import TelemetrySettings
from tests.support.journals import decision
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from otel import Journal


def watched(trail: AuditTrail, journal: Journal, folder: Path) -> Watched:
    return Watched(trail=trail, journal=journal, folder=folder, connections=lambda: 2, say=print)


def test_what_is_recorded_is_counted(tmp_path: Path) -> None:
    measures = Measures(None)
    journal = measures.journal.open(tmp_path)
    trail = AuditTrail(journal, {})
    with measured(measures, watched(trail, journal, tmp_path / journal.writer)) as page:
        for _ in range(3):
            trail.with_attributes(**{"session.id": "s-1"}).record(decision())
        assert page is not None
        text = page()[1].decode()
        assert f'service_instance_id="{journal.writer}"' in text
        assert 'reason="not_allowed",source="baseline_policy"} 3.0' in text
        assert "netproxy_connections_active 2.0" in text
        assert "netproxy_journal_append_seconds_count 3.0" in text
        assert "netproxy_journal_bytes_free_bytes" in text
    journal.close()


def test_a_disk_that_is_gone_takes_no_other_number_with_it(tmp_path: Path) -> None:
    measures = Measures(None)
    journal = measures.journal.open(tmp_path / "audit")
    with measured(measures, watched(AuditTrail(journal, {}), journal, tmp_path / "gone")) as page:
        assert page is not None
        text = page()[1].decode()
    assert "netproxy_connections_active 2.0" in text
    assert "bytes_free" not in text
    assert "netproxy_journal_export" not in text
    journal.close()


def test_without_settings_there_is_nothing(tmp_path: Path) -> None:
    journal = Measures(None).journal.open(tmp_path)
    with (
        measured(None, watched(AuditTrail(journal, {}), journal, tmp_path)) as page,
        traced(TelemetrySettings(), "w-1", print) as tracing,
    ):
        assert (page, tracing) == (None, None)
    journal.close()
    with pytest.raises(AssertionError, match="not asked for"):
        open_tracing(TelemetrySettings(), "w-1", print)


def test_nobody_waits_for_one_that_hangs() -> None:
    free, done = threading.Event(), threading.Event()
    began = time.monotonic()

    def hangs() -> None:
        free.wait(PATIENCE_SECONDS)

    finish(hangs, done.set, seconds=0.05)
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert done.is_set()
    free.set()
