from __future__ import annotations

from typing import TYPE_CHECKING

from otel import AuditTrail
from otel.tally import APPEND_BOUNDS, Histogram
from otel.timing import timed_journal
from tests.support.journals import decision

if TYPE_CHECKING:
    from pathlib import Path


def test_a_write_is_timed_and_a_look_is_not(tmp_path: Path) -> None:
    times = Histogram(APPEND_BOUNDS)
    journal = timed_journal(times).open(tmp_path)
    trail = AuditTrail(journal, {})
    trail.record(decision())
    journal.flush()
    trail.record(decision())
    journal.close()
    assert sum(times.counts) == 2
    assert 0 < times.total < 2
