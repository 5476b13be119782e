"""What the handlers of the application share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from approvals.http.hosts import Hosts
    from approvals.http.identity import Identity
    from approvals.ports import Clock, EventSink, Inbox, Surroundings
    from approvals.presence import Presence
    from approvals.store.tokens import Tokens
    from approvals.web.visitors import LoginLinks


class Authenticate(Protocol):
    """Finds out who sent a request to the API."""

    async def __call__(self, request: web.Request, /) -> Identity:
        """Raises `Problem` 401, 403 or 429; whatever it refuses is on record then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One application's surroundings."""

    inbox: Inbox
    surroundings: Surroundings
    sink: EventSink
    clock: Clock
    presence: Presence
    hosts: Hosts | None  # None: whoever can open the socket is here (the control socket)
    authenticate: Authenticate
    log: Callable[[str], None]  # a line for each request
    report: Callable[[str], None]  # a line for each mistake of ours
    tokens: Tokens | None = None  # None: there is no store that could keep any
    logins: LoginLinks | None = None  # None: there are no pages to sign in to


SITE = web.AppKey("site", Site)
