"""What the metrics count, as plain numbers: taken from events on their way into the trail. Pure.

An event costs a dictionary look-up here, where one call of the SDK costs 7 us; the SDK reads these
numbers when somebody asks for them (`otel.metrics`). Hosts, users and sessions have no place to go:
each series is known by words of closed sets, and even of these only so many are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from otel.events import (
    ApprovalRequested,
    ApprovalResolved,
    AuditGap,
    ClientsTurnedAway,
    ClockJumped,
    ConfigRejected,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExportState,
    IntegrityFailed,
    PolicyDecision,
    ReviewerFailed,
    RunCancelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from otel.events import Event

    type Watchers = dict[type[Any], Callable[[Any], None]]

# All words that decisions and ends can have come to some fifty. Whatever comes beyond this is a
# mistake, and must not become a series for each host.
SERIES: Final = 100
OTHER: Final = "other"

# A person needs seconds to minutes; a connection is held for two minutes, a question lives fifteen.
WAIT_BOUNDS: Final = (0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)
# A write into the page cache takes some 10 us, a sync of a disk some milliseconds, and after two
# seconds the answer is no.
APPEND_BOUNDS: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2, 0.1, 0.5, 2.0)

# What somebody should look at, whatever else happens.
_ALARMS: Final = (
    AuditGap, ClockJumped, ConfigRejected, ExportState, IntegrityFailed, ReviewerFailed,
)  # fmt: skip
_REQUESTED: Final = "requested"  # the first phase of a cancellation: the others are its course


_RECOVERED: Final = "recovered"


class Histogram:
    """How often a value fell between two bounds, the upper one included (OTLP: explicit bounds)."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tally:
    """Every count since the start of the gateway. Other threads may read it at any time."""

    __slots__ = (
        "alarms", "appends", "bytes_received", "bytes_sent", "cancelled", "closed", "decisions",
        "failed", "opened", "requested", "resolved", "syncs", "turned_away", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self.decisions: dict[tuple[str, str, str], int] = {}  # by decision, source, reason
        self.opened = 0
        self.closed: dict[str, int] = {}  # by reason
        self.failed: dict[str, int] = {}  # by what went wrong upstream
        self.turned_away: dict[str, int] = {}  # by limit
        self.bytes_sent = 0
        self.bytes_received = 0
        self.cancelled: dict[str, int] = {}  # runs, by the reason of the denial
        self.requested = 0
        self.resolved = 0
        self.waits: dict[str, Histogram] = {}  # in seconds, by how the question ended
        # By event name. They begin with zero: a rule on their increase misses what begins with one.
        self.alarms = dict.fromkeys((kind.name for kind in _ALARMS), 0)
        # In seconds; whoever times the journal adds to them.
        self.appends = Histogram(APPEND_BOUNDS)
        self.syncs = Histogram(APPEND_BOUNDS)

    @property
    def pending(self) -> int:
        """Questions without an answer yet."""
        return max(0, self.requested - self.resolved)

    def watchers(self) -> Watchers:
        """What is to be called with each event of these classes."""
        return {
            PolicyDecision: self._decided,
            ConnectionOpened: self._opened,
            ConnectionClosed: self._closed,
            ConnectionFailed: self._failed,
            ClientsTurnedAway: self._turned_away,
            RunCancelled: self._cancelled,
            ApprovalRequested: self._requested,
            ApprovalResolved: self._resolved,
            **dict.fromkeys(_ALARMS, self._alarmed),
        }

    def _decided(self, event: PolicyDecision) -> None:
        key = event.decision, event.source, event.reason
        decisions = self.decisions
        if key not in decisions and len(decisions) >= SERIES:
            key = (event.decision, OTHER, OTHER)
        decisions[key] = decisions.get(key, 0) + 1

    def _opened(self, _event: ConnectionOpened) -> None:
        self.opened += 1

    def _closed(self, event: ConnectionClosed) -> None:
        _count(self.closed, event.close_reason)
        self.bytes_sent += event.bytes_sent
        self.bytes_received += event.bytes_received

    def _failed(self, event: ConnectionFailed) -> None:
        _count(self.failed, event.error_type)

    def _turned_away(self, event: ClientsTurnedAway) -> None:
        _count(self.turned_away, event.limit, event.count)

    def _cancelled(self, event: RunCancelled) -> None:
        if event.phase == _REQUESTED:
            _count(self.cancelled, event.reason)

    def _requested(self, _event: ApprovalRequested) -> None:
        self.requested += 1

    def _resolved(self, event: ApprovalResolved) -> None:
        self.resolved += 1
        state = event.state if event.state in self.waits or len(self.waits) < SERIES else OTHER
        if state not in self.waits:
            self.waits[state] = Histogram(WAIT_BOUNDS)
        self.waits[state].add(event.duration_ms / 1000)

    def _alarmed(self, event: Event) -> None:
        if not isinstance(event, ExportState) or event.state != _RECOVERED:
            _count(self.alarms, event.name)


def _count(counts: dict[str, int], word: str, count: int = 1) -> None:
    if word not in counts and len(counts) >= SERIES:
        word = OTHER
    counts[word] = counts.get(word, 0) + count
