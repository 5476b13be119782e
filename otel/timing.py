"""A journal that says how long its writes take: made only where there are metrics."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from otel.journal import Journal

if TYPE_CHECKING:
    from otel.lane import Batch
    from otel.tally import Histogram


def timed_journal(times: Histogram) -> type[Journal]:
    """Make a kind of journal that adds to `times`, in seconds, whenever it wrote something."""

    class TimedJournal(Journal):
        def flush(self, *, aside: bool = False) -> Batch | None:
            before, began = self.last_seq, perf_counter()
            batch = super().flush(aside=aside)
            if self.last_seq != before:
                times.add(perf_counter() - began)
            return batch

    return TimedJournal
