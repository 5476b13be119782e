"""Stands for everybody who answers through `decide`: by page, API or `approvals watch`.

It never answers itself. It takes a question as soon as somebody is there to see it, so that a
question which nobody can see is refused within the delivery time, or at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from approvals.errors import NoOpinion

if TYPE_CHECKING:
    from approvals.model import Answer
    from approvals.ports import Inquiry
    from approvals.presence import Presence


class InboxReviewer:
    """One of the reviewers of a service, for all who read its inbox."""

    channel = "inbox"

    def __init__(self, presence: Presence, *, awaits_arrival: bool) -> None:
        """`awaits_arrival`: somebody is expected to look in, as on a page that was asked for."""
        self._presence = presence
        self._awaits_arrival = awaits_arrival

    async def review(self, inquiry: Inquiry) -> Answer:
        """Take the question once a reader is there, then wait for the end: by `decide`."""
        if not (self._awaits_arrival or self._presence.anybody):
            raise NoOpinion("nobody looks; `netproxy approvals watch` would")
        await self._presence.arrived()
        inquiry.accept()
        await asyncio.Event().wait()
        raise AssertionError("never")
