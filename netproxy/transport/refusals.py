"""Counts those who were turned away unheard, and puts the sums on record once a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel.events import ClientsTurnedAway

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from netproxy.connection.overload import Overload
    from otel.events import Event

# A flood of any size leaves one record a second for each cause.
_SECONDS = 1.0


class Refusals:
    """Of one run. `note` records an event, or reports that it could not be recorded."""

    __slots__ = ("_counts", "_loop", "_note", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, note: Callable[[Event], None]) -> None:
        self._loop = loop
        self._note = note
        self._counts: dict[Overload, tuple[int, str]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, cause: Overload, client_address: str) -> None:
        """One more; the record comes within a second."""
        count, _ = self._counts.get(cause, (0, ""))
        self._counts[cause] = count + 1, client_address
        if self._timer is None:
            self._timer = self._loop.call_later(_SECONDS, self.flush)

    def flush(self) -> None:
        """Record what was counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        for cause, (count, client_address) in counts.items():
            self._note(
                ClientsTurnedAway(limit=cause.value, count=count, client_address=client_address)
            )
