"""How far the sinks of all writers are behind, as `stats` and `report` tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.app.amounts import count, duration
from otel import statuses, writers
from otel.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """One sink over all writers."""

    label: str
    lag_records: int
    lag_ms: int  # age of the oldest record that it has not got
    delivered: int
    rejected: int
    stalled: bool
    error: str

    @property
    def is_behind(self) -> bool:
        """Whether somebody should look at it."""
        return self.stalled or self.rejected > 0

    @property
    def told(self) -> str:
        """A line for people."""
        behind = "has all records"
        if self.lag_records:
            behind = f"{count(self.lag_records)} records behind, {duration(self.lag_ms)}"
        stalled = f", stands still: {self.error or 'no word why'}" if self.stalled else ""
        rejected = f", {count(self.rejected)} rejected" if self.rejected else ""
        return f"{behind}{stalled}{rejected}"

    def as_json(self) -> dict[str, object]:
        """All of it, by names that stay."""
        return {
            "sink": self.label,
            "lag_records": self.lag_records,
            "lag_ms": self.lag_ms,
            "delivered": self.delivered,
            "rejected": self.rejected,
            "stalled": self.stalled,
            "error": self.error,
        }


def sink_states(directory: Path, *, now_ns: int) -> list[SinkState]:
    """Return every sink that any writer has records for. A folder that can't be read has none."""
    found: dict[str, SinkState] = {}
    for folder in writers(directory):
        try:
            of_writer = statuses(folder, now_ns=now_ns)
        except OSError:
            continue
        for each in of_writer:
            status, lag = each.status, each.lag
            before = found.get(each.key)
            found[each.key] = SinkState(
                label=status.label,
                lag_records=lag.records + (before.lag_records if before else 0),
                lag_ms=max(lag.ms, before.lag_ms if before else 0),
                delivered=status.delivered + (before.delivered if before else 0),
                rejected=status.rejected + (before.rejected if before else 0),
                stalled=status.stalled or (before is not None and before.stalled),
                error=status.error or (before.error if before else ""),
            )
    return [found[key] for key in sorted(found)]
