"""The thread that syncs the journal shortly after each write.

It is started late: the launcher forks before it, and a fork copies no threads but all their locks.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
    """Calls `sync` once some milliseconds after `touch`, from its own daemon thread."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._is_touched = False
        self._is_stopping = False
        self._signals: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="journal-sync", daemon=True)
            self._thread.start()

    def touch(self) -> None:
        """Something was written. Cheap when a sync is due anyway."""
        if not self._is_touched:
            self._is_touched = True
            self._signals.put(None)

    def stop(self) -> bool:
        """End the thread. False if it still hangs in a sync: then its file must stay open."""
        self._is_stopping = True
        self._signals.put(None)
        if self._thread is None:
            return True
        self._thread.join(_STOP_SECONDS)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        seconds = _LONGEST_SECONDS
        while not self._is_stopping:
            self._signals.get()
            self._gather(seconds)
            # Before the sync: what is written during it gets a sync of its own.
            self._is_touched = False
            began = time.monotonic()
            self._sync()
            seconds = gathering_seconds(time.monotonic() - began)

    def _gather(self, seconds: float) -> None:
        try:
            self._signals.get(timeout=seconds)  # the end of it all, and nothing else, comes now
        except Empty:
            return


def gathering_seconds(sync_seconds: float) -> float:
    """How long to gather writes, when the last sync took so long."""
    left = _WITHIN_SECONDS - 2 * sync_seconds
    return max(_SHORTEST_SECONDS, min(_LONGEST_SECONDS, left))
