"""The metrics that a gateway can have, with the labels of each: as a scrape shows them."""

from __future__ import annotations

import re

from otel.metrics import Gauges, Lag, Metrics
from otel.tally import WAIT_BOUNDS, Histogram, Tally
from otel.telemetry_resource import resource


def everything() -> dict[str, set[str]]:
    """The labels of every metric, of a gateway to which everything has happened."""
    tally = Tally()
    tally.decisions["deny", "baseline_policy", "not_allowed"] = 1
    for counts in (tally.closed, tally.failed, tally.turned_away, tally.cancelled):
        counts["word"] = 1
    tally.waits["granted"] = Histogram(WAIT_BOUNDS)
    gauges = Gauges(
        connections=lambda: 0, bytes_free=lambda: 0, lost=lambda: 0, stuck_seconds=lambda: 0.0,
        lags=lambda: [Lag("sink", 0, 0.0)],
    )  # fmt: skip
    metrics = Metrics(tally, gauges, resource("w-1"))
    try:
        return labels_of(metrics.page()[1].decode())
    finally:
        metrics.shutdown()


def labels_of(page: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in page.splitlines():
        name = re.match(r"(netproxy_\w+)(?:\{(.*)\})? ", line)
        if name is not None:
            found.setdefault(name[1], set()).update(re.findall(r'(\w+)="', name[2] or ""))
    return found
