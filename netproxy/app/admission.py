"""Whom a service lets in by token, as the token file says: at the start, and again at each SIGHUP.

All or nothing: a file with a mistake changes nothing. Whoever's line is gone, or says another token
or profile, is cut at once and has no session any more; a line that is new has one of its own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

from approvals import StoreUnavailable
from netproxy.app.token_file import credentials_of
from netproxy.errors import InvalidSettings
from netproxy.model import CloseReason
from netproxy.transport.door import Door, Hosting
from otel.errors import AuditUnavailable
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from netproxy.app.sessions import Session
    from netproxy.app.token_file import Holder
    from netproxy.connection.credentials import Identity


class Serving(Hosting, Protocol):
    """A session that is open: `netproxy.transport.server.ProxyServer`."""

    def close_all(self, reason: CloseReason) -> None:
        """Cut every connection at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Who has one at the start, and how that is read anew. Both raise `InvalidSettings`."""

    holders: tuple[Holder, ...]
    read: Callable[[], tuple[Holder, ...]]
    session_of: Callable[[Holder], Session]


class Admission[Server: Serving]:
    """Closes every session that is still open when it is left itself."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        opened: Callable[[Holder, Session], AbstractAsyncContextManager[Server]],
        say: Callable[[str], None],
    ) -> None:
        """`opened` may raise `AuditUnavailable` and `StoreUnavailable`."""
        self._tokens = tokens
        self._opened = opened
        self._say = say
        self._open: dict[Holder, tuple[Server, AsyncExitStack]] = {}
        self.door: Door

    async def start(self, sessions: dict[Holder, Session]) -> None:
        """Open the first ones. Raises `AuditUnavailable`."""
        await self._enter(sessions)
        self.door = Door(credentials=credentials_of(tuple(sessions)), runs=self._runs())

    @property
    def servers(self) -> list[Server]:
        """Of all sessions that are open."""
        return [server for server, _ in self._open.values()]

    async def reread(self) -> None:
        """Let in whom the file names now. Says in one line what changed, or why nothing did."""
        try:
            holders, sessions = await asyncio.to_thread(self._read)
            await self._enter(sessions)
        except (InvalidSettings, AuditUnavailable, StoreUnavailable) as problem:
            first, *more = getattr(problem, "problems", (str(problem),))
            others = f" (and {len(more)} more)" if more else ""
            self._say(f"the tokens stay as they were: {first}{others}")
            return
        gone = {holder: self._open.pop(holder) for holder in set(self._open) - set(holders)}
        self.door.credentials = credentials_of(holders)
        self.door.runs = self._runs()
        for server, _ in gone.values():
            server.close_all(CloseReason.POLICY_CHANGED)
        if gone or sessions:
            self._say(f"tokens read again: {len(sessions)} new, {len(gone)} gone")
        try:
            await _close(gone)
        except AuditUnavailable as problem:
            self._say(str(problem))

    async def aclose(self) -> None:
        """Close all sessions. Raises `AuditUnavailable`."""
        await _close(self._open)

    def _read(self) -> tuple[tuple[Holder, ...], dict[Holder, Session]]:
        holders = self._tokens.read()
        new = [holder for holder in holders if holder not in self._open]
        return holders, {holder: self._tokens.session_of(holder) for holder in new}

    async def _enter(self, sessions: dict[Holder, Session]) -> None:
        """All of them or none. Raises `AuditUnavailable`."""
        entered: dict[Holder, tuple[Server, AsyncExitStack]] = {}
        async with AsyncExitStack() as undo:
            for holder, session in sessions.items():
                stack = await undo.enter_async_context(AsyncExitStack())
                server = await stack.enter_async_context(self._opened(holder, session))
                entered[holder] = (server, stack)
            undo.pop_all()  # nothing went wrong: they stay open
        self._open |= entered

    def _runs(self) -> dict[Identity, Hosting]:
        return {holder.identity: server for holder, (server, _) in self._open.items()}


async def _close[Server](sessions: dict[Holder, tuple[Server, AsyncExitStack]]) -> None:
    async with AsyncExitStack() as every:
        for _, stack in sessions.values():
            every.push_async_callback(stack.aclose)
