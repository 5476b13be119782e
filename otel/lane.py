"""The detour around a disk that makes writers wait: batches are written in a thread of their own.

As long as the disk answers, the event loop writes by itself: one system call into the page cache,
a few microseconds. When the disk does not, that call may take minutes, and the loop would stand
still with every connection in it. `otel.journal` says when to go this way.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from otel.errors import AuditUnavailable
from otel.threads import started

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.chain import Spelled
    from otel.events import Event

    # What spells an event, the event, its nanoseconds since 1970 and of the clock that only grows.
    type Put = tuple[Callable[[Event], Spelled], Event, int, int]

# Half an hour of a client that is refused ten times a second: some 20 MB.
_MOST_RECORDS: Final = 20_000
_STOP_SECONDS: Final = 2.0


class Batch:
    """Records on their way to the file, in order; in the end written, or lost to a problem."""

    __slots__ = ("_done", "count", "mark", "problem", "records")

    def __init__(self, records: list[Put]) -> None:
        self.records = records
        self.count = len(records)
        self.problem: AuditUnavailable | None = None
        self.mark = 0  # of the write that they were in
        self._done = threading.Event()

    @property
    def is_done(self) -> bool:
        """Whether they are in the file, or `problem` says why they are not."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until that is so; False: it isn't yet."""
        return self._done.wait(seconds)

    def finish(self) -> None:
        """It is so."""
        self.records = []
        self._done.set()


class Lane:
    """Calls `write` for each batch, one after the other, from a daemon thread."""

    def __init__(self, write: Callable[[Batch], None], finished: Callable[[], None]) -> None:
        """`write` does not raise: it notes in the batch what kept it from the file."""
        self.is_busy = False
        self._write = write
        self._finished = finished
        self._batches: deque[tuple[Batch, float]] = deque()
        self._count = 0
        self._changed = threading.Condition(threading.Lock())
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def put(self, batch: Batch) -> None:
        """Take a batch. Raises `AuditUnavailable` when too many records wait already."""
        with self._changed:
            if self._count + batch.count > _MOST_RECORDS:
                raise AuditUnavailable(
                    f"{self._count} records wait for the disk", error_type="timeout"
                )
            self._count += batch.count
            self._batches.append((batch, time.monotonic()))
            self.is_busy = True
            self._changed.notify()
        if self._thread is None:
            self._thread = started("journal-lane", self._loop)

    def waiting_seconds(self) -> float:
        """How long the oldest batch has been waiting; 0 when there is none."""
        try:
            _, since = self._batches[0]
        except IndexError:
            return 0.0
        return time.monotonic() - since

    def stop(self) -> bool:
        """Write what waits, and end the thread. False if it hangs: its file must stay open."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is None:
            return True
        self._thread.join(_STOP_SECONDS)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._is_stopping)
                if not self._batches:
                    return
                batch, _ = self._batches[0]
            self._write(batch)
            with self._changed:
                # Only now: who asks how long the oldest has waited must see the one that hangs.
                self._batches.popleft()
                self._count -= batch.count
                self.is_busy = bool(self._batches)
            batch.finish()
            self._finished()
