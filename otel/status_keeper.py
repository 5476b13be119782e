"""Keeps one sink's status for `export_status`: counts, the last failure, and notices to record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from otel import export_status, folders
from otel.errors import JournalBroken
from otel.export_notices import told
from otel.export_status import RECOVERED, REJECTED, STALLED, Lag, Notice, Status
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from otel.config import ShipLimits

_NOTHING = Status(
    label="",
    required=True,
    stalled=False,
    delivered=0,
    rejected=0,
    error="",
    last_number=0,
    notices=(),
)


class StatusKeeper:
    """One sink's status, on from where its last exporter left it. From one thread at a time."""

    def __init__(  # noqa: PLR0913  # a sink's names, and two clocks
        self,
        folder: Path,
        sink: str,
        *,
        label: str,
        required: bool,
        limits: ShipLimits,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._sink = sink
        self._limits = limits
        self._clock = clock
        self._wall_ns = wall_ns
        before = export_status.load(folder, sink) or _NOTHING
        self._status = replace(before, label=label, required=required)
        self._saved: Status | None = None
        self._due = 0.0  # when the next look at the lag, and the next write, may be
        self.problem = ""

    @property
    def is_stalled(self) -> bool:
        """Whether nothing was delivered for so long that it is on record."""
        return self._status.stalled

    def delivered(self, count: int) -> None:
        """The sink took so many records."""
        self._status = replace(self._status, delivered=self._status.delivered + count, error="")
        if self._status.stalled:
            self._status = replace(self._status, stalled=False)
            self._notice(RECOVERED, self._lag(), "")
            self.save()
        elif self._clock() >= self._due:
            self.save()

    def failed(self, why: str) -> None:
        """Nothing was delivered this time."""
        self._status = replace(self._status, error=why)
        if self._clock() < self._due:
            return
        lag = self._lag()
        if not self._status.stalled and lag.ms >= self._limits.stall_seconds * 1000:
            self._status = replace(self._status, stalled=True)
            self._notice(STALLED, lag, why)
        self.save()

    def rejected(self, count: int, why: str, *, tell: bool) -> None:
        """The sink will not have so many records. Durable when this returns, or it raises.

        `tell`: not of records that only say so themselves, of which there would be no end.
        Raises OSError and `JournalBroken`.
        """
        self._status = replace(self._status, rejected=self._status.rejected + count)
        if tell:
            self._notice(REJECTED, self._lag(), why, rejected=count)
        self._write()

    def save(self) -> None:
        """Write what has changed. What can't be written is a problem, not a reason to stop.

        Where somebody removes the journal nothing is: its folder would stay there by that.
        """
        self._due = self._clock() + self._limits.status_seconds
        if self._status == self._saved:
            return
        try:
            if folders.segment_numbers(self._folder):
                self._write()
        except (OSError, JournalBroken) as error:
            self.problem = f"the status can't be saved: {error}"

    def _notice(self, state: str, lag: Lag, error: str, *, rejected: int = 0) -> None:
        """Add one. Rejections that nobody has recorded yet become one notice."""
        done = told(self._folder, self._sink)
        waiting = [each for each in self._status.notices if each.number > done]
        if waiting and waiting[-1].state == state == REJECTED:
            rejected += waiting.pop().rejected
        # A lost mark must not hide a notice, nor a lost status one that has a smaller number.
        number = max(self._status.last_number, done) + 1
        notice = Notice(
            number=number,
            state=state,
            lag_records=lag.records,
            lag_ms=lag.ms,
            rejected=rejected,
            error=error,
        )
        self._status = replace(self._status, last_number=number, notices=(*waiting, notice))

    def _lag(self) -> Lag:
        return export_status.lag(self._folder, self._sink, now_ns=self._wall_ns())

    def _write(self) -> None:
        export_status.save(self._folder, self._sink, self._status)
        self._saved = self._status
