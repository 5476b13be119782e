"""The thread that syncs the journal shortly after each write.

It is started late: the launcher forks before it, and a fork copies no threads but all their locks.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# With fdatasync itself (0.2 ms on a local disk, 1 to 10 ms on network storage) this keeps the
# promise of "synced within 10 ms", and a burst of records shares one sync.
_GATHER_SECONDS = 0.004
# A sync that hangs (frozen disk) must not keep the process from ending.
_STOP_SECONDS = 2.0


class Flusher:
    """Calls `sync` once some milliseconds after `touch`, from its own daemon thread."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._touched = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="journal-sync", daemon=True)
            self._thread.start()

    def touch(self) -> None:
        """Something was written. Cheap when a sync is due anyway."""
        if not self._touched.is_set():
            self._touched.set()

    def stop(self) -> bool:
        """End the thread. False if it still hangs in a sync: then its file must stay open."""
        self._stopping.set()
        self._touched.set()
        if self._thread is None:
            return True
        self._thread.join(_STOP_SECONDS)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._touched.wait()
            self._stopping.wait(_GATHER_SECONDS)
            # Cleared before the sync: what is written during it gets a sync of its own.
            self._touched.clear()
            self._sync()
