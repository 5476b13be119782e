"""Who sent a token over loopback TCP: `Authorization: Bearer npx_…` (RFC 6750 section 2.1).

In the header only: a token in an address would stand in logs and histories. It is looked up for
each request, so a token that was revoked, or whose permissions are others now, is so at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from approvals.http.identity import Identity, Permission
from approvals.http.problems import Problem
from approvals.http.rejections import record_rejection
from approvals.model import Rejection

if TYPE_CHECKING:
    from aiohttp import web

    from approvals.ports import Clock, EventSink
    from approvals.store.tokens import Tokens

CHANNEL = "api"
_BEARER = re.compile(r"[Bb]earer +(npx_[A-Za-z0-9_-]{43})")
# A mistyped token fails a few times; more is guessing, and each guess would be a record.
MOST_FAILURES = 20
_WINDOW_SECONDS = 60.0
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="netproxy"'}


class BearerTokens:
    """Fills `approvals.http.site.Authenticate` for loopback TCP. None: no token is good here."""

    def __init__(
        self,
        tokens: Tokens | None,
        *,
        sink: EventSink,
        clock: Clock,
        most_failures: int = MOST_FAILURES,
    ) -> None:
        """`most_failures` within a minute are told apart from guessing."""
        self._tokens = tokens
        self._most_failures = most_failures
        self._sink = sink
        self._clock = clock
        self._window_began = 0.0
        self._failed = 0

    async def __call__(self, request: web.Request, /) -> Identity:
        """Raises `Problem` 401 or 429. A good token is never held up by others' failures."""
        given = request.headers.getall("Authorization", [])
        match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
        token = None
        if match is not None and self._tokens is not None:
            token = await self._tokens.find(match[1])
        if token is None:
            raise self._failure()
        known = {permission.value: permission for permission in Permission}
        return Identity(
            name=token.name,
            channel=CHANNEL,
            permissions=frozenset(known[each] for each in token.permissions if each in known),
        )

    def _failure(self) -> Problem:
        now = self._clock.monotonic()
        if now - self._window_began >= _WINDOW_SECONDS:
            self._window_began, self._failed = now, 0
        self._failed += 1
        if self._failed > self._most_failures:
            wait = max(1, round(self._window_began + _WINDOW_SECONDS - now))
            what = "too many requests without a good token"
            return Problem(429, "too_many", what, headers={"Retry-After": str(wait)})
        record_rejection(self._sink, Rejection.UNAUTHENTICATED, channel=CHANNEL)
        what = "this needs a token: Authorization: Bearer npx_…"
        return Problem(401, "unauthenticated", what, headers=_CHALLENGE)
