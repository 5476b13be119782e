"""How much one session may ask: so many questions at once, and so many new ones in a window. Pure.

Beyond that it is refused, and what is refused is summed up: one notice for a storm.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from approvals.model import Limit
from otel.values import dataclass, field

if TYPE_CHECKING:
    from approvals.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What a session asked beyond a limit within one window."""

    session: str
    limit: Limit
    refused: int
    ends_at: float  # of the monotonic clock


@dataclass(slots=True)
class _Asked:
    new: deque[float] = field(default_factory=deque)  # when, of the monotonic clock
    pending: int = 0
    refused: dict[Limit, tuple[float, int]] = field(default_factory=dict)  # window's end, how many


class Flood:
    """Counts questions by session."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sessions: dict[str, _Asked] = {}

    def admit(self, session: str, now: float) -> Limit | None:
        """Count a new question; the limit that is in its way, if one is."""
        asked = self._sessions.setdefault(session, _Asked())
        while asked.new and asked.new[0] <= now - self._config.new_window_seconds:
            asked.new.popleft()
        if asked.pending >= self._config.max_pending:
            return Limit.PENDING
        if len(asked.new) >= self._config.max_new:
            return Limit.RATE
        asked.new.append(now)
        asked.pending += 1
        return None

    def settled(self, session: str) -> None:
        """Count a question as open no longer."""
        self._sessions[session].pending -= 1

    def refuse(self, session: str, limit: Limit, now: float) -> bool:
        """Count a refusal. True for the first one of a window."""
        refused = self._sessions[session].refused
        until, count = refused.get(limit, (now + self._config.flood_window_seconds, 0))
        refused[limit] = until, count + 1
        return not count

    def wait_seconds(self, session: str, limit: Limit, now: float) -> float:
        """How long until the next question is possible, as far as that can be known."""
        new = self._sessions[session].new
        if limit is Limit.PENDING or not new:
            return 0.0
        return max(0.0, new[0] + self._config.new_window_seconds - now)

    def over(self, now: float | None) -> list[Storm]:
        """The storms whose window has ended, each once; with None: all of them."""
        found = [
            Storm(session=session, limit=limit, refused=count, ends_at=until)
            for session, asked in self._sessions.items()
            for limit, (until, count) in asked.refused.items()
            if now is None or until <= now
        ]
        for storm in found:
            del self._sessions[storm.session].refused[storm.limit]
        return found

    def next_end(self) -> float | None:
        """When the next window ends."""
        ends = [end for asked in self._sessions.values() for end, _ in asked.refused.values()]
        return min(ends, default=None)

    def forget(self, session: str) -> None:
        """Forget a session that is over and has nothing open and nothing to tell."""
        asked = self._sessions.get(session)
        if asked is not None and not asked.pending and not asked.refused:
            del self._sessions[session]
