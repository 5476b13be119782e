"""The numbers of one gateway follow its trail and its journal, for as long as it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.telemetry import Measures
from netproxy.transport.server import Crowd
from otel import AuditTrail
from tests.support.journals import decision

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_recorded_is_counted(tmp_path: Path) -> None:
    measures, crowd = Measures(), Crowd()
    journal = measures.journal.open(tmp_path)
    trail = AuditTrail(journal, {})
    with measures.taken(trail, journal, tmp_path, crowd) as page:
        for _ in range(3):
            trail.with_attributes(**{"session.id": "s-1"}).record(decision())
        crowd.count = 2
        text = page()[1].decode()
        assert f'service_instance_id="{journal.writer}"' in text
        assert 'reason="not_allowed",source="baseline_policy"} 3.0' in text
        assert "netproxy_connections_active 2.0" in text
        assert "netproxy_journal_append_seconds_count 3.0" in text
        assert "netproxy_journal_bytes_free_bytes" in text
    journal.close()


def test_a_disk_that_is_gone_takes_no_other_number_with_it(tmp_path: Path) -> None:
    measures = Measures()
    journal = measures.journal.open(tmp_path / "audit")
    with measures.taken(AuditTrail(journal, {}), journal, tmp_path / "gone", Crowd()) as page:
        text = page()[1].decode()
    assert "netproxy_connections_active 0.0" in text
    assert "bytes_free" not in text
    journal.close()
