"""Looks after a gateway's exporter: records what it left to be recorded, and revives it.

The exporter is a process of its own that nobody waits for. It may not write the chain that it
exports, so its notices (a sink stands still, goes on, would not take records) are recorded here.
Imported only where there are sinks.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel import AuditError, AuditTrail, record_notices, required_keys, ship_command
from otel.events import ExportState
from otel.export_status import RECOVERED, STALLED, lag, unexported_bytes
from otel.lock import is_live
from otel.modes import AuditMode
from sandbox.process import start_background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from netproxy.app.settings import Settings
    from otel import Journal, SinkSettings

# Two small files a sink are read each time: nothing beside what a gateway does in five seconds.
_LOOK_SECONDS = 5.0
# A look that failed, or an exporter that died again, waits twice as long as before, up to this.
_LONGEST_SECONDS = 300.0
# One death may be somebody's kill. The next one is worth a record.
_TOLD_AFTER = 2
_TOO_MUCH = "more audit records wait for export than audit.max_unexported_bytes"


def exporter_of(settings: Settings, journal: Journal) -> Callable[[], None]:
    """Make the function that starts the exporter of this gateway's writer."""
    command, environment = ship_command(
        settings.sinks,
        settings.audit_directory,
        journal.writer,
        start=journal.opened_at,
        stall_seconds=settings.stall_seconds,
    )

    def start() -> None:
        start_background(command, environment)

    return start


def watch_over(settings: Settings, trail: AuditTrail, journal: Journal) -> ExportWatch:
    """Make the watch of a gateway that has sinks."""
    return ExportWatch(
        trail,
        settings.audit_directory / journal.writer,
        settings.sinks,
        exporter_of(settings, journal),
        max_bytes=settings.max_unexported_bytes,
    )


class ExportWatch:
    """Looks now and then. From the loop's thread only."""

    def __init__(
        self,
        trail: AuditTrail,
        folder: Path,
        sinks: Sequence[SinkSettings],
        start: Callable[[], None],
        *,
        max_bytes: int | None = None,
    ) -> None:
        """`folder` is the writer's own; `start` starts its exporter, which does not run yet.

        `max_bytes`: so much of the journal may wait for a required sink; None: any amount.
        """
        self._trail = trail
        self._folder = folder
        self._sinks = sinks
        self._start = start
        self._max_bytes = max_bytes
        self._deaths = 0
        self._wait_seconds = _LOOK_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the exporter and look after it, until the last look."""
        self._start()
        self._plan()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._record()

    def look(self) -> None:
        """Record what there is to record, and see that the exporter lives."""
        recorded, lives = self._record(), self._is_alive()
        self._hold_where_too_much_waits()
        if lives:
            if self._deaths >= _TOLD_AFTER:
                self._tell(RECOVERED)
            self._deaths = 0
        else:
            self._deaths += 1
            if self._deaths == _TOLD_AFTER:
                self._tell(STALLED)
            self._start()
        self._wait_seconds = (
            _LOOK_SECONDS if recorded and lives else min(self._wait_seconds * 2, _LONGEST_SECONDS)
        )

    def _plan(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._wait_seconds, self._look_and_plan)

    def _look_and_plan(self) -> None:
        self.look()
        self._plan()

    def _is_alive(self) -> bool:
        return any(is_live(self._folder, f"{sink.key}.lock") for sink in self._sinks)

    def _record(self) -> bool:
        """Whether nothing is left to record. What can't be recorded now stays where it is."""
        try:
            record_notices(self._folder, (sink.key for sink in self._sinks), self._trail.record)
        except (AuditError, OSError):
            return False
        return True

    def _hold_where_too_much_waits(self) -> None:
        """As on a full disk, for whoever would rather refuse than act where nobody sees it."""
        if self._max_bytes is None or self._trail.mode is AuditMode.BEST_EFFORT:
            return
        waits = (unexported_bytes(self._folder, key) for key in required_keys(self._sinks))
        too_much = max(waits, default=0) > self._max_bytes
        self._trail.hold(_TOO_MUCH if too_much else None)

    def _tell(self, state: str) -> None:
        for sink in self._sinks:
            behind = lag(self._folder, sink.key, now_ns=time.time_ns())
            event = ExportState(
                sink=sink.label,
                state=state,
                lag_records=behind.records,
                lag_ms=behind.ms,
                rejected=0,
                error_type="exporter_died",
            )
            try:
                self._trail.record(event)
            except AuditError:
                return  # the trail counts it, and says so in its next record
