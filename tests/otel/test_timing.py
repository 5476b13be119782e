from __future__ import annotations

from typing import TYPE_CHECKING

from otel import AuditTrail
from otel.tally import APPEND_BOUNDS, Histogram
from otel.timing import timed_journal
from tests.support.journals import decision
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


def test_writes_and_syncs_are_timed_and_a_look_is_not(tmp_path: Path) -> None:
    writes, syncs = Histogram(APPEND_BOUNDS), Histogram(APPEND_BOUNDS)
    journal = timed_journal(writes, syncs).open(tmp_path)
    trail = AuditTrail(journal, {})
    trail.record(decision())
    journal.flush()
    trail.record_synced(decision())
    assert sum(writes.counts) == 2
    assert sum(syncs.counts) == 1
    # In seconds, however slow the disk.
    assert 0 < writes.total < 60
    assert 0 < syncs.total < 60
    journal.close()


def test_what_a_slow_disk_writes_aside_is_timed_too(tmp_path: Path) -> None:
    """It is what somebody wants to know of."""
    writes = Histogram(APPEND_BOUNDS)
    journal = timed_journal(writes, Histogram(APPEND_BOUNDS)).open(tmp_path)
    journal.start_syncing()
    trail = AuditTrail(journal, {})
    journal.put(trail._fill(decision()), decision())
    batch = journal.flush(aside=True)
    if batch is not None:
        assert batch.wait(PATIENCE_SECONDS)
    journal.close()
    assert sum(writes.counts) >= 1
