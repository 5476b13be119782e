from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from otel.errors import AuditUnavailable
from otel.events import ExportState
from otel.export_notices import record_notices, told
from otel.export_status import STALLED, save
from tests.otel.test_export_status import NOTICE, SINK, STATUS

if TYPE_CHECKING:
    from pathlib import Path

TWO = replace(
    STATUS, notices=(NOTICE, replace(NOTICE, number=2, state=STALLED, rejected=0)), last_number=2
)


def test_each_notice_is_recorded_once_in_order(tmp_path: Path) -> None:
    save(tmp_path, SINK, TWO)
    recorded: list[ExportState] = []
    record_notices(tmp_path, [SINK, "ship-none"], recorded.append)
    record_notices(tmp_path, [SINK], recorded.append)
    assert recorded == [
        ExportState(
            sink="otlp x", state="rejected", lag_records=2, lag_ms=3, rejected=4, error_type="old"
        ),
        ExportState(
            sink="otlp x", state="stalled", lag_records=2, lag_ms=3, rejected=0, error_type="old"
        ),
    ]
    assert told(tmp_path, SINK) == 2


def test_what_can_not_be_recorded_waits(tmp_path: Path) -> None:
    """The journal's disk is full for a while: the notice comes when it isn't any more."""
    save(tmp_path, SINK, TWO)
    recorded: list[ExportState] = []

    def fails_at_the_second(event: ExportState) -> None:
        if recorded:
            raise AuditUnavailable("disk full")
        recorded.append(event)

    with pytest.raises(AuditUnavailable):
        record_notices(tmp_path, [SINK], fails_at_the_second)
    record_notices(tmp_path, [SINK], recorded.append)
    assert [event.state for event in recorded] == ["rejected", "stalled"]


@pytest.mark.parametrize("mark", [b"", b"[", b'"1"', b"true", b"[" * 100_000])
def test_a_lost_mark_repeats_and_loses_nothing(tmp_path: Path, mark: bytes) -> None:
    save(tmp_path, SINK, STATUS)
    (tmp_path / f"{SINK}.told").write_bytes(mark)
    recorded: list[ExportState] = []
    record_notices(tmp_path, [SINK], recorded.append)
    assert len(recorded) == 1
