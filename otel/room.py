"""What the journal's disk has left: looked at now and then, and given up when nothing is left."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from otel.space import Space, Step, ballast_size, has_room_again, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel.segment import Shelf

# A disk fills up in minutes; a look is one system call.
_LOOK_SECONDS: Final = 5.0
# When it is full, whoever is refused waits for the next look.
_FULL_LOOK_SECONDS: Final = 1.0


class Room:
    """The steps of the ladder, and the ballast."""

    def __init__(self, shelf: Shelf, now: Callable[[], float] = time.monotonic) -> None:
        """Make the ballast, if there is room for it."""
        self.step = Step.OK
        self.free = 0
        self._shelf = shelf
        self._now = now
        self._next_look = 0.0
        self._ballast = 0
        self._make_ballast()

    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._now() >= self._next_look

    def look(self) -> bool:
        """Look at the disk. Whether that is another step than before."""
        before = self.step
        space = self._space()
        if space is None:
            return False
        if before is not Step.FULL:
            self.step = step(space, before)
        elif has_room_again(space, self._ballast):
            self.step = step(space, Step.CRITICAL)
            self._make_ballast()
        return self.step is not before

    def fill_up(self) -> bool:
        """Give up the ballast: a write failed. False: that was done already."""
        if self.step is Step.FULL:
            return False
        self.step = Step.FULL
        with suppress(OSError):
            self._shelf.drop_ballast()
        self._space()
        return True

    def _space(self) -> Space | None:
        seconds = _FULL_LOOK_SECONDS if self.step is Step.FULL else _LOOK_SECONDS
        self._next_look = self._now() + seconds
        try:
            space = self._shelf.space()
        except OSError:
            return None
        self.free = space.free
        return space

    def _make_ballast(self) -> None:
        """As large as the disk bears; a journal without one is worse, and better than none."""
        with suppress(OSError):
            self._ballast = self._shelf.keep_ballast(ballast_size(self._shelf.space()))
