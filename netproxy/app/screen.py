"""The user's terminal as a reviewer gets it: the command's output is held while it asks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sandbox.terminal import TerminalRelay


class RelayScreen:
    """Fills `approvals.ports.Screen`. The relay comes later than the reviewers do, or never."""

    def __init__(self) -> None:
        self.relay: TerminalRelay | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the command's terminal, if it has one."""
        relay = self.relay
        if relay is None:
            yield
            return
        relay.hold()
        try:
            yield
        finally:
            relay.release()
