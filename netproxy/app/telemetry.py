"""What a gateway tells of itself beside the audit trail, where somebody has switched it on.

Everything from the SDK is imported here and late: without metrics none of it is loaded, and nothing
is counted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel.tally import Tally
from otel.timing import timed_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netproxy.transport.server import Crowd
    from otel import AuditTrail, Journal

type Page = Callable[[], tuple[str, bytes]]


class Measures:
    """The numbers of one gateway, from the first record to the last."""

    def __init__(self) -> None:
        self._tally = Tally()

    @property
    def journal(self) -> type[Journal]:
        """The kind of journal that is timed for them."""
        return timed_journal(self._tally.appends)

    @contextmanager
    def taken(
        self, trail: AuditTrail, journal: Journal, directory: Path, crowd: Crowd
    ) -> Iterator[Page]:
        """Count what goes into `trail`, as long as the block lasts."""
        from otel.metrics import Gauges, Metrics
        from otel.telemetry_resource import resource

        trail.watch(self._tally.watchers())
        gauges = Gauges(
            connections=lambda: crowd.count,
            bytes_free=lambda: _bytes_free(directory),
            lost=lambda: trail.lost,
            lags=tuple,
        )
        metrics = Metrics(self._tally, gauges, resource(journal.writer))
        try:
            yield metrics.page
        finally:
            metrics.shutdown()


def _bytes_free(directory: Path) -> int | None:
    try:
        found = os.statvfs(directory)
    except OSError:
        return None  # its disk was taken away: other numbers are still worth a scrape
    return found.f_bavail * found.f_frsize
