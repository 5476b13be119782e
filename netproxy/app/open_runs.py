"""The runs of one process that are open, by session: several may have one in common.

Says under whose ids the approval service records what it does: those of the run that it does it
for, as long as that is open, else those of who is in the session now. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netproxy.app.reception import Run
    from otel import AuditTrail


class OpenRuns:
    """Keeps `trails`, which whoever records looks into: by the ids of runs and of sessions."""

    def __init__(self, trails: dict[str, AuditTrail]) -> None:
        self._trails = trails
        self._of_session: dict[str, dict[str, Run]] = {}  # and by their own ids

    def admit(self, run: Run) -> None:
        """Note that it is open."""
        self._of_session.setdefault(run.session_id, {})[run.execution_id] = run
        self._trails[run.execution_id] = self._trails[run.session_id] = run.trail

    def leave(self, run: Run) -> bool:
        """Note that it is over; whether its session is so, too. Its trail stays for last words."""
        others = self._of_session[run.session_id]
        del others[run.execution_id]
        if others:
            self._trails[run.session_id] = next(reversed(others.values())).trail
            return False
        del self._of_session[run.session_id]
        return True

    def forget(self, run: Run) -> None:
        """Nothing more is recorded for it; for its session neither, unless others are in it."""
        self._trails.pop(run.execution_id, None)
        if run.session_id not in self._of_session:
            self._trails.pop(run.session_id, None)
