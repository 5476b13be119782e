"""What a gateway tells of itself beside the audit trail, where somebody has switched it on.

Everything from the SDK is imported here and late: without metrics and spans none of it is loaded,
and nothing is counted.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel.tally import Tally
from otel.timing import timed_journal
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from otel import AuditTrail, Journal
    from otel.metrics import Lag, Metrics
    from otel.telemetry_config import TelemetrySettings
    from otel.trace_context import RunTrace
    from otel.tracing import Tracing

type Page = Callable[[], tuple[str, bytes]]

# A collector that is there has the last of it within some milliseconds. For one that is not, nobody
# waits at the end of a command.
_LAST_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The gateway that is measured."""

    trail: AuditTrail
    journal: Journal
    folder: Path  # the writer's
    connections: Callable[[], int]  # how many clients there are
    say: Callable[[str], None]  # is told of a dead collector


class Measures:
    """The numbers of one gateway, from the first record to the last."""

    def __init__(self, settings: TelemetrySettings | None) -> None:
        self._settings = settings
        self._tally = Tally()

    @property
    def journal(self) -> type[Journal]:
        """The kind of journal that is timed for them."""
        return timed_journal(self._tally.appends, self._tally.syncs)

    def watch(self, trail: AuditTrail) -> None:
        """Count what goes into this trail, and into those that are made from it."""
        trail.watch(self._tally.watchers())

    def read(self, watched: Watched) -> Metrics:
        """Have them read from now on. Whoever gets the metrics shuts them down."""
        from otel.metrics import Gauges, Metrics
        from otel.telemetry_resource import resource

        gauges = Gauges(
            connections=watched.connections,
            bytes_free=lambda: _bytes_free(watched.folder),
            lost=lambda: watched.trail.lost,
            stuck_seconds=watched.journal.lane_seconds,
            lags=lambda: _lags(watched.folder),
        )
        settings = self._settings
        if settings is None or settings.metrics is None:
            return Metrics(self._tally, gauges, resource(watched.journal.writer))
        from otel.exporters import Complaints, metric_exporter

        Complaints(watched.say).listen()
        return Metrics(
            self._tally,
            gauges,
            resource(watched.journal.writer),
            exporter=metric_exporter(settings.metrics),
            interval_seconds=settings.interval_seconds,
        )


def open_tracing(
    settings: TelemetrySettings,
    writer: str,
    say: Callable[[str], None],
    run: RunTrace | None = None,
) -> Tracing:
    """Begin to send spans. Whoever gets this shuts it down."""
    from otel.exporters import Complaints, span_exporter
    from otel.telemetry_resource import resource
    from otel.tracing import Tracing

    if settings.traces is None:
        raise AssertionError("spans were not asked for")
    Complaints(say).listen()
    return Tracing(
        span_exporter(settings.traces),
        resource(writer),
        ratio=settings.sample_ratio,
        span_attributes=settings.span_attributes,
        tracestate=settings.tracestate,
        run=run,
    )


def finish(*ends: Callable[[], None], seconds: float = _LAST_SECONDS) -> None:
    """Send what is left, side by side; who does not take it in this time goes without.

    The threads of those who hang end with the process.
    """
    threads = [threading.Thread(target=end, daemon=True) for end in ends]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


@contextmanager
def measured(measures: Measures | None, watched: Watched) -> Iterator[Page | None]:
    """Have a service's numbers read as long as the block lasts; what a scrape gets, if any."""
    if measures is None:
        yield None
        return
    measures.watch(watched.trail)
    metrics = measures.read(watched)
    try:
        yield metrics.page
    finally:
        finish(metrics.shutdown)


@contextmanager
def traced(
    settings: TelemetrySettings | None, writer: str, say: Callable[[str], None]
) -> Iterator[Tracing | None]:
    """Send a service's spans as long as the block lasts."""
    if settings is None or settings.traces is None:
        yield None
        return
    tracing = open_tracing(settings, writer, say)
    try:
        yield tracing
    finally:
        finish(tracing.shutdown)


def _bytes_free(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None  # its disk was taken away: other numbers are still worth a scrape
    return found.f_bavail * found.f_frsize


def _lags(folder: Path) -> Iterable[Lag]:
    from otel.export_status import statuses
    from otel.metrics import Lag

    try:
        found = statuses(folder, now_ns=time.time_ns())
    except OSError:
        return ()
    return [
        Lag(sink=each.status.label, records=each.lag.records, seconds=each.lag.ms / 1000)
        for each in found
    ]
