"""How many clients of a run may be in at once, and which limit the next one would be over."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from netproxy.connection.overload import Overload, TokenBucket

if TYPE_CHECKING:
    from netproxy.config import Limits


class Crowd:
    """How many connections all runs of a gateway have together."""

    __slots__ = ("count", "turned_away")

    def __init__(self) -> None:
        self.count = 0
        self.turned_away = 0  # of those, who are only here to be told no


class Capacity:
    """Of one run. `now` is the loop's time in seconds."""

    __slots__ = ("_bucket", "_crowd", "_limits", "last_descriptor", "outside")

    def __init__(self, limits: Limits, crowd: Crowd, *, now: float) -> None:
        self._limits = limits
        self._crowd = crowd
        rate = limits.connections_per_second
        self._bucket = None if rate is None else TokenBucket(rate, now=now)
        soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Beyond it is what is kept for those who are in already.
        self.last_descriptor = soft_limit - limits.descriptor_reserve
        # So many may wait outside a door; where descriptors are few, half are for those inside.
        self.outside = max(1, min(limits.connections_per_run, self.last_descriptor // 2))

    def excess(self, here: int, descriptor: int, *, now: float) -> Overload | None:
        """Return the limit that the next connection, with this descriptor, is over.

        `here` are those that were let in.
        """
        limits = self._limits
        if here >= limits.connections_per_run:
            return Overload.CONNECTIONS
        if self._crowd.count - self._crowd.turned_away >= limits.connections_total:
            return Overload.TOTAL
        # The kernel gives out the lowest number that is free: so many are in use.
        if descriptor >= self.last_descriptor:
            return Overload.DESCRIPTORS
        if self._bucket is not None and not self._bucket.take(now):
            return Overload.RATE
        return None

    def is_exhausted(self, here: int, turned_away: int) -> bool:
        """Whether there is no room even for those who are only told so; `here` are all."""
        if turned_away < self._limits.refusals_per_run:
            return False
        return turned_away > 0 or here >= self._limits.connections_per_run
