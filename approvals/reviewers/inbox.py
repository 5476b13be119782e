"""Stands for everybody who answers through `decide`: by page, API or `approvals watch`.

It never answers itself. It takes a question as soon as somebody is there to see it, so that a
question which nobody can see is refused within the delivery time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from approvals.model import Answer
    from approvals.ports import Inquiry
    from approvals.presence import Presence


class InboxReviewer:
    """One of the reviewers of a service, for all who read its inbox."""

    channel = "inbox"

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    async def review(self, inquiry: Inquiry) -> Answer:
        """Take the question once a reader is there, then wait for the end: by `decide`."""
        await self._presence.arrived()
        inquiry.accept()
        await asyncio.Event().wait()
        raise AssertionError("never")
