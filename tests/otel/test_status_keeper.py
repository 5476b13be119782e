from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel import export_status
from otel.config import ShipLimits
from otel.errors import JournalBroken
from otel.export_notices import record_notices
from otel.status_keeper import StatusKeeper
from tests.support.journals import NOON_NS, write_journal

if TYPE_CHECKING:
    from pathlib import Path

    from otel.events import ExportState

SINK = "ship-x"
LIMITS = ShipLimits()
HOUR = 3600.0


class Time:
    def __init__(self) -> None:
        self.now = 0.0


def keeper_of(folder: Path, time: Time) -> StatusKeeper:
    return StatusKeeper(
        folder,
        SINK,
        label="otlp x",
        required=True,
        limits=LIMITS,
        clock=lambda: time.now,
        wall_ns=lambda: NOON_NS + int(time.now * 1e9),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / write_journal(tmp_path, 3)


def states(folder: Path) -> list[tuple[str, int]]:
    status = export_status.load(folder, SINK)
    return [(each.state, each.rejected) for each in status.notices] if status else []


def test_fifteen_minutes_without_delivery_are_a_stall(folder: Path) -> None:
    time = Time()
    keeper = keeper_of(folder, time)
    keeper.failed("can't connect")
    time.now = LIMITS.stall_seconds - 1
    keeper.failed("can't connect")
    assert states(folder) == []
    time.now = LIMITS.stall_seconds + 1
    keeper.failed("can't connect")
    time.now += 60
    keeper.failed("can't connect")  # one stall, one notice
    assert states(folder) == [("stalled", 0)]
    assert keeper.is_stalled
    status = export_status.load(folder, SINK)
    assert status is not None
    assert (status.notices[0].lag_records, status.notices[0].error) == (3, "can't connect")


def test_a_backlog_that_goes_out_at_once_is_no_stall(folder: Path) -> None:
    """The machine was off over the weekend."""
    time = Time()
    time.now = 100 * HOUR
    keeper = keeper_of(folder, time)
    keeper.delivered(3)
    assert states(folder) == []


def test_the_next_process_knows_of_the_stall_and_tells_its_end(folder: Path) -> None:
    time = Time()
    time.now = HOUR
    keeper_of(folder, time).failed("busy")
    again = keeper_of(folder, time)
    assert again.is_stalled
    again.delivered(3)
    assert states(folder) == [("stalled", 0), ("recovered", 0)]
    assert not again.is_stalled


def test_rejections_that_nobody_recorded_yet_are_one_notice(folder: Path) -> None:
    keeper = keeper_of(folder, Time())
    keeper.rejected(1, "old", tell=True)
    keeper.rejected(2, "older", tell=True)
    assert states(folder) == [("rejected", 3)]
    recorded: list[ExportState] = []
    record_notices(folder, [SINK], recorded.append)
    keeper.rejected(4, "new", tell=True)
    record_notices(folder, [SINK], recorded.append)
    assert [event.rejected for event in recorded] == [3, 4]


def test_rejected_notices_about_rejections_are_counted_only(folder: Path) -> None:
    """Else each of them would make the next one, for ever."""
    keeper = keeper_of(folder, Time())
    keeper.rejected(1, "old", tell=False)
    status = export_status.load(folder, SINK)
    assert status is not None
    assert (status.rejected, status.notices) == (1, ())


def test_a_lost_status_file_hides_no_later_notice(folder: Path) -> None:
    keeper_of(folder, Time()).rejected(1, "old", tell=True)
    recorded: list[ExportState] = []
    record_notices(folder, [SINK], recorded.append)
    (folder / f"{SINK}.status").unlink()
    keeper_of(folder, Time()).rejected(2, "new", tell=True)
    record_notices(folder, [SINK], recorded.append)
    assert [event.rejected for event in recorded] == [1, 2]


def test_it_is_written_once_a_second_while_all_goes_well(folder: Path) -> None:
    time = Time()
    keeper = keeper_of(folder, time)
    seen = []
    for _ in range(30):
        time.now += 0.1
        keeper.delivered(1)
        status = export_status.load(folder, SINK)
        seen.append(status.delivered if status else 0)
    assert len(set(seen)) <= 4
    keeper.save()
    status = export_status.load(folder, SINK)
    assert status is not None
    assert status.delivered == 30


def test_what_can_not_be_written_stops_nothing_but_a_rejection(folder: Path) -> None:
    """A count may be lost; that records were set aside may not."""
    keeper = keeper_of(folder, Time())
    (folder / f"{SINK}.status.new").symlink_to("elsewhere")
    keeper.delivered(1)
    assert "can't be saved" in keeper.problem
    with pytest.raises((OSError, JournalBroken)):
        keeper.rejected(1, "old", tell=True)


def test_nothing_is_put_into_a_folder_whose_journal_is_removed(folder: Path) -> None:
    """Who removes it comes to the folder last, and would find it full again."""
    keeper = keeper_of(folder, Time())
    for file in folder.iterdir():
        file.unlink()
    keeper.failed("can't connect")
    assert list(folder.iterdir()) == []
    folder.rmdir()
    keeper.save()
    assert "can't be saved" in keeper.problem
