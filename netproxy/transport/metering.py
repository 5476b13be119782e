"""What connections move that an answer with a budget of bytes let through.

As with the allowance of a run nothing is counted while bytes move: what is over is added, what runs
is looked at ten times a second, so a budget is overdrawn by at most a tenth of a second. Without
such an answer there is no timer, and nothing is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from netproxy.model import ApprovalId
    from netproxy.ports import Ledger

_SECONDS = 0.1


class Meter:
    """Of one run."""

    __slots__ = ("_in_flight", "_ledger", "_loop", "_over", "_timer", "_told")

    def __init__(
        self,
        ledger: Ledger | None,
        loop: asyncio.AbstractEventLoop,
        *,
        in_flight: Callable[[], Iterable[tuple[ApprovalId | None, int]]],
    ) -> None:
        """`in_flight`: each connection's approval, and what it moved."""
        self._ledger = ledger
        self._loop = loop
        self._in_flight = in_flight
        self._told: dict[ApprovalId, int] = {}  # bytes that the ledger knows of
        self._over: dict[ApprovalId, int] = {}  # moved by connections that are over
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, approval_id: ApprovalId) -> None:
        """Somebody is let through by it."""
        if self._ledger is None or approval_id in self._told:
            return
        if self._ledger.is_metered(approval_id):
            self._told[approval_id] = self._over[approval_id] = 0
            if self._timer is None:
                self._timer = self._loop.call_later(_SECONDS, self.look)

    def ended(self, approval_id: ApprovalId, count: int) -> None:
        """A connection of it moved so many bytes, and is over."""
        if approval_id in self._over:
            self._over[approval_id] += count

    def look(self) -> None:
        """Tell the ledger what was moved, which may cut it. The timer's callback."""
        assert self._ledger is not None, "only what a ledger knows is metered"
        moved, live = dict(self._over), set()
        for approval_id, count in self._in_flight():
            if approval_id is not None and approval_id in moved:
                moved[approval_id] += count
                live.add(approval_id)
        more = {each: total - self._told[each] for each, total in moved.items()}
        self._told = moved
        for approval_id in moved.keys() - live:
            self._forget(approval_id)
        self._timer = self._loop.call_later(_SECONDS, self.look) if self._told else None
        for approval_id, count in more.items():
            if count:
                self._ledger.spend(approval_id, count)

    def close(self) -> None:
        """Tell the ledger of the last bytes, and look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self.look()
        if self._timer is not None:
            self._timer.cancel()

    def _forget(self, approval_id: ApprovalId) -> None:
        """Nobody carries it now; the next one begins anew."""
        del self._told[approval_id], self._over[approval_id]
