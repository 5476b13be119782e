"""Connections to origins that rest between two plain requests: of one run, each for one lane.

What rests carries nothing by itself: whoever takes it has a decision of its own on record, and
judges the address anew (`upstream.resumed`). Each is watched while it rests, and whatever comes
without having been asked for ends it, so that no answer can wait here for somebody else's question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netproxy.model import Reason
from netproxy.transport.sweep import Sweep

if TYPE_CHECKING:
    import asyncio

    from netproxy.config import Limits
    from netproxy.model import ApprovalId, Decision, Destination
    from netproxy.transport.stream import Stream
    from netproxy.transport.upstream import Upstream

# Lanes may be as many as what a client asks for; those that nobody rests in go when there are more.
_LANES = 256
# The others were let through by somebody who was asked, and who may have meant this one only.
_SHARED = frozenset({Reason.ALLOWED_BY_RULE, Reason.ALLOWED_BY_GRANT})


class Lane(NamedTuple):
    """Which requests may share connections: one destination, and one grant if that carries them.

    Those of a client that logs connections in share with its own only.
    """

    destination: Destination
    approval_id: ApprovalId | None
    own: object | None = None  # one client's


def lane(destination: Destination, decision: Decision, *, own: object | None = None) -> Lane | None:
    """Choose; None for a request that shares with nobody."""
    if decision.reason not in _SHARED:
        return None
    return Lane(destination, decision.approval_id, own)


class Resting:
    """One that rests. Fills `sweep.Mortal`."""

    __slots__ = ("_pool", "beside", "lane", "since", "stream", "upstream")

    def __init__(  # noqa: PLR0913 a connection, what it carried, and where it rests
        self,
        pool: Pool,
        of: Lane,
        stream: Stream,
        upstream: Upstream,
        *,
        beside: list[Resting],
        since: float,
    ) -> None:
        self._pool = pool
        self.lane = of
        self.stream = stream
        self.upstream = upstream  # of the request that it carried last
        self.beside = beside  # all that rest in its lane
        self.since = since

    def expire(self, now: float) -> None:
        """Close it if it has rested, or been open, for too long."""
        if self._pool.is_over(self, now):
            self.close()

    def close(self) -> None:
        """Close it where it rests."""
        self._pool.forget(self)
        self.stream.close()


class Pool:
    """All that rest in one run: few, and one timer for all of them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, *, last_descriptor: int
    ) -> None:
        """From `last_descriptor` on there are none to spare for what only rests."""
        self._loop = loop
        self._last_descriptor = last_descriptor
        self._limits = limits
        self._resting: dict[Resting, None] = {}  # in the order in which they came
        self._lanes: dict[Lane, list[Resting]] = {}
        self._is_closed = False
        shortest = min(limits.pool_idle_seconds, limits.pool_lifetime_seconds)
        self._sweep = Sweep(loop, self._resting, limit_seconds=shortest)

    def __len__(self) -> int:
        """How many rest."""
        return len(self._resting)

    def give(self, of: Lane, stream: Stream, upstream: Upstream) -> None:
        """Keep a connection whose last answer was read to its end; for want of room, the newest."""
        limit = self._limits.pool_connections
        if self._is_closed or not limit or stream.descriptor >= self._last_descriptor:
            stream.close()
            return
        if len(self._resting) >= limit:
            next(iter(self._resting)).close()
        beside = self._lanes.get(of)
        if beside is None:
            beside = self._new_lane(of)
        resting = Resting(self, of, stream, upstream, beside=beside, since=self._loop.time())
        self._resting[resting] = None
        beside.append(resting)
        stream.rest(resting.close)
        self._sweep.wake()

    def take(self, of: Lane) -> Resting | None:
        """Return the one that rested for the shortest, if it is as it was left."""
        waiting = self._lanes.get(of)
        while waiting:
            resting = waiting[-1]
            self.forget(resting)
            if resting.stream.wake() and not self.is_over(resting, self._loop.time()):
                return resting
            resting.stream.close()
        return None

    def clear(self) -> None:
        """Close all: the policy has changed, or the run is over."""
        for resting in tuple(self._resting):
            resting.close()

    def close_approved(self, approval_id: ApprovalId) -> None:
        """Close those that a grant carried: it was revoked."""
        for resting in tuple(self._resting):
            if resting.lane.approval_id == approval_id:
                resting.close()

    def close_own(self, own: object) -> None:
        """Close those that only one client could have used: it is gone."""
        for resting in tuple(self._resting):
            if resting.lane.own is own:
                resting.close()

    def close(self) -> None:
        """Close all, and keep none any more."""
        self._is_closed = True
        self.clear()
        self._sweep.stop()

    def is_over(self, resting: Resting, now: float) -> bool:
        """Whether it has rested, or been open, for too long."""
        limits = self._limits
        return (
            now - resting.since >= limits.pool_idle_seconds
            or now - resting.upstream.made_at >= limits.pool_lifetime_seconds
        )

    def forget(self, resting: Resting) -> None:
        """Take it out; it stays open."""
        del self._resting[resting]
        resting.beside.remove(resting)

    def _new_lane(self, of: Lane) -> list[Resting]:
        if len(self._lanes) >= _LANES:
            self._lanes = {lane: waiting for lane, waiting in self._lanes.items() if waiting}
        waiting = self._lanes[of] = []
        return waiting
