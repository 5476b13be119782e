"""A journal that says how long its disk takes: made only where there are metrics."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from otel.journal import Journal

if TYPE_CHECKING:
    from otel.lane import Put
    from otel.tally import Histogram


def timed_journal(writes: Histogram, syncs: Histogram) -> type[Journal]:
    """Make a kind of journal that adds to both, in seconds, whatever has come to an end.

    One that hangs has not: `Journal.lane_seconds` says how long it has been.
    """

    class TimedJournal(Journal):
        # In the loop's thread, or in the lane's when the disk is slow.
        def _write_put(self, records: list[Put]) -> None:
            began = perf_counter()
            super()._write_put(records)
            writes.add(perf_counter() - began)

        def _commit(self) -> None:
            began = perf_counter()
            super()._commit()
            syncs.add(perf_counter() - began)

    return TimedJournal
