"""The thread that syncs the journal shortly after each write, or at once where somebody waits.

It is started late: the launcher forks before it, and a fork copies no threads but all their locks.
"""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from otel.errors import AuditUnavailable
from otel.threads import started

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

# What is written is on the disk within this time, where the disk itself is not slower.
_WITHIN_SECONDS: Final = 0.010
# Syncs are gathered for as long as that leaves time for two of the last one's length, so that one
# which takes twice as long is in time, too. Each sync costs as much as five tunnels.
_LONGEST_SECONDS: Final = 0.008
_SHORTEST_SECONDS: Final = 0.001
# A sync that hangs (frozen disk) must not keep the process from ending.
_STOP_SECONDS: Final = 2.0


class Flusher:
    """Calls `sync` once some milliseconds after `touch`, from its own daemon thread.

    `sync` says after how many seconds it wants to be called again, touched or not; None: only then.
    """

    def __init__(self, sync: Callable[[], float | None]) -> None:
        self.is_running = False
        self.began: float | None = None  # when the sync began that is in flight
        self._sync = sync
        self._gathers = True
        self._is_touched = False
        self._is_stopping = False
        self._signals: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, *, gathers: bool = True) -> None:
        """Start the thread; a second call does nothing. `gathers`: nobody waits for its syncs."""
        if self._thread is None:
            self._gathers = gathers
            self.is_running = True
            try:
                self._thread = started("journal-sync", self._loop)
            except AuditUnavailable:
                self.is_running = False
                raise

    def touch(self) -> None:
        """Something was written. Cheap when a sync is due anyway."""
        if not self._is_touched:
            self._is_touched = True
            self._signals.put(None)

    def hurry(self) -> None:
        """Somebody waits for what was written: gather no longer."""
        self._is_touched = True
        self._signals.put(None)
        self._signals.put(None)

    def in_flight_seconds(self) -> float:
        """How long the disk has owed an answer; 0 when it owes none."""
        began = self.began
        return 0.0 if began is None else time.monotonic() - began

    def stop(self) -> bool:
        """Sync once more, and end the thread. False if it hangs: its file must stay open."""
        self._is_stopping = True
        self._signals.put(None)
        self._signals.put(None)
        if self._thread is None:
            return True
        self._thread.join(_STOP_SECONDS)
        self.is_running = False
        return not self._thread.is_alive()

    def _loop(self) -> None:
        seconds, again = _LONGEST_SECONDS, None
        while True:
            if self._wait(again) and self._gathers:
                self._wait(seconds)  # the end of it all, or somebody in a hurry, comes now
            is_last = self._is_stopping
            # Before the sync: what is written during it gets a sync of its own.
            self._is_touched = False
            self.began = began = time.monotonic()
            again = self._sync()
            self.began = None
            seconds = gathering_seconds(time.monotonic() - began)
            if is_last:
                return

    def _wait(self, seconds: float | None) -> bool:
        """Whether a signal came, and not only the time."""
        try:
            self._signals.get(timeout=seconds)
        except Empty:
            return False
        return True


def gathering_seconds(sync_seconds: float) -> float:
    """How long to gather writes, when the last sync took so long."""
    left = _WITHIN_SECONDS - 2 * sync_seconds
    return max(_SHORTEST_SECONDS, min(_LONGEST_SECONDS, left))
