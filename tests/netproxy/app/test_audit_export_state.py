"""The sinks of several writers are told of as one each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netproxy.app.audit_export_state import SinkState, sink_states
from otel.export_status import Status, save
from tests.support.journals import NOON_NS, write_journal

if TYPE_CHECKING:
    from pathlib import Path


def state(**changes: object) -> SinkState:
    fields: dict[str, object] = {
        "label": "otlp",
        "lag_records": 0,
        "lag_ms": 0,
        "delivered": 1,
        "rejected": 0,
        "stalled": False,
        "error": "",
    }
    return SinkState(**{**fields, **changes})  # type: ignore[arg-type]  # a table's row


@pytest.mark.parametrize(
    ("changes", "told", "is_behind"),
    [
        pytest.param({}, "has all records", False, id="all"),
        pytest.param(
            {"lag_records": 1812, "lag_ms": 90_000},
            "1,812 records behind, 1 min 30 s",
            False,
            id="lag",
        ),
        pytest.param(
            {"stalled": True, "error": "refused"},
            "has all records, stands still: refused",
            True,
            id="stalled",
        ),
        pytest.param({"stalled": True}, "has all records, stands still: no word why", True, id="?"),
        pytest.param({"rejected": 2}, "has all records, 2 rejected", True, id="rejected"),
    ],
)
def test_a_sink_is_told_of(changes: dict[str, object], told: str, is_behind: bool) -> None:
    made = state(**changes)
    assert (made.told, made.is_behind) == (told, is_behind)


def status(*, stalled: bool = False) -> Status:
    return Status(
        label="otlp",
        required=True,
        stalled=stalled,
        delivered=3,
        rejected=1,
        error="refused" if stalled else "",
        last_number=0,
        notices=(),
    )


def test_writers_are_added_up(tmp_path: Path) -> None:
    for number, stalled in enumerate((True, False)):
        folder = tmp_path / f"{number}"
        folder.mkdir(mode=0o700)
        writer = write_journal(folder, 2)
        save(folder / writer, "ship-a", status(stalled=stalled))
        (folder / writer).rename(tmp_path / writer)
        folder.rmdir()
    [made] = sink_states(tmp_path, now_ns=NOON_NS + 60_000_000_000)
    assert (made.lag_records, made.delivered, made.rejected) == (4, 6, 2)
    assert (made.stalled, made.error) == (True, "refused")
    assert 59_000 < made.lag_ms <= 60_000
    assert made.as_json()["sink"] == "otlp"
