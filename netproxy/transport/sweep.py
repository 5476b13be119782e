"""One timer for all tunnels of a run: now and then each is asked whether its time is over.

A timer for each would cost every tunnel an object and a place in the loop's heap, for limits that
few tunnels ever meet. So a limit is kept to an eighth, which nobody notices of an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

_ROUNDS = 8  # within the shortest limit
# So many are asked at a time; then the bytes of all others have their turn.
_SLICE = 256


class Mortal(Protocol):
    """What may have lived for too long."""

    def expire(self, now: float) -> None:
        """End it if so. `now` is the loop's time in seconds."""
        ...


class Sweep:
    """Asks everybody in `living`, which may change meanwhile, until nobody is left."""

    __slots__ = ("_left", "_living", "_loop", "_seconds", "_timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, living: Collection[Mortal], *, limit_seconds: float
    ) -> None:
        """`limit_seconds` is the shortest of the limits that are kept."""
        self._loop = loop
        self._living = living
        self._seconds = limit_seconds / _ROUNDS
        self._left: list[Mortal] = []
        self._timer: asyncio.Handle | None = None

    def wake(self) -> None:
        """Somebody is there; without anybody there is no timer."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._round)

    def stop(self) -> None:
        """Ask nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        self._left = list(self._living)
        self._slice()

    def _slice(self) -> None:
        some, self._left = self._left[:_SLICE], self._left[_SLICE:]
        now = self._loop.time()
        for each in some:
            each.expire(now)
        self._timer = None
        if self._left:
            self._timer = self._loop.call_soon(self._slice)
        elif self._living:
            self.wake()
