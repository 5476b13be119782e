"""The web inbox of a gateway: a listener and a way to sign in from the start, pages when it serves.

What the pages need is imported in a thread, beside the loop that relays.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING

from netproxy.app.listening import ListenRefused, listen, where
from netproxy.app.settings import Ask
from otel.values import dataclass, replace

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator

    from approvals.http.server import HttpServer
    from approvals.ports import Inbox
    from approvals.web.visitors import LoginLinks
    from netproxy.app.listening import ListenAddress
    from netproxy.app.reviewing import Room
    from netproxy.app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInbox:
    """It listens; who comes before it serves waits in the queue."""

    listener: socket.socket
    links: LoginLinks


@contextmanager
def open_inbox(
    settings: Settings, user: str, say: Callable[[str], None], *, on_terminal: bool
) -> Iterator[OpenInbox | None]:
    """Open the inbox that the settings ask for, and say how to get in.

    A link is as good as a password for five minutes: it is said to `user` at a terminal, and never
    to a log. Raises `ListenRefused`.
    """
    address = settings.approvals.inbox
    if address is None or settings.ask is Ask.NEVER:
        yield None
        return
    from approvals import SystemClock
    from approvals.web.visitors import LoginCodes, LoginLinks

    is_run = bool(settings.command)
    with closing(_listener(address, is_run=is_run, say=say)) as listener:
        base_url = settings.approvals.public_url or f"http://{where(listener)}"
        links = LoginLinks(LoginCodes(SystemClock()), base_url)
        if on_terminal:
            say(f"answer questions at {links.issue(user).url}")
        else:
            say(f"inbox on {base_url}: to sign in, netproxy approvals login")
        yield OpenInbox(listener=listener, links=links)


@asynccontextmanager
async def inbox_served(room: Room, opened: OpenInbox, service: Inbox) -> AsyncIterator[None]:
    """Serve the pages and the API."""
    import asyncio  # not before the command starts: it takes 15 ms

    server = await asyncio.to_thread(_server, room, opened, service)
    async with server:
        yield


def _listener(address: ListenAddress, *, is_run: bool, say: Callable[[str], None]) -> socket.socket:
    """At the address that was asked for; for a command, beside another one's inbox, at a free port.

    A service has its address or does not start: others have written it down.
    """
    try:
        return listen(address)
    except ListenRefused as refused:
        if not is_run:
            raise
        say(f"warning: {refused}; the inbox takes another port")
        return listen(replace(address, port=0))


def _server(room: Room, opened: OpenInbox, service: Inbox) -> HttpServer:
    from approvals.http.api import add_api
    from approvals.http.application import make_application
    from approvals.http.bearer import BearerTokens
    from approvals.http.hosts import Hosts
    from approvals.http.server import HttpServer
    from approvals.http.site import Site
    from approvals.web.door import Desk
    from approvals.web.pages import add_pages
    from approvals.web.visitors import Visitors
    from netproxy.app.control import tokens_of
    from netproxy.app.home import home_of
    from netproxy.app.places import config_home

    public_url, tokens = room.settings.approvals.public_url, tokens_of(room)
    app = make_application(
        Site(
            inbox=service,
            surroundings=room.surroundings,
            sink=room.trail,
            clock=room.clock,
            presence=room.presence,
            hosts=Hosts(public_url=public_url),
            authenticate=BearerTokens(tokens, sink=room.trail, clock=room.clock),
            log=room.detail,
            report=room.report,
            tokens=tokens,
        )
    )
    add_api(app, local=False)
    if any(each.reply_secrets for each in room.settings.approvals.webhooks):
        from approvals.webhook.callback import add_callback
        from netproxy.app.webhooks import webhook_store

        add_callback(app, room.settings.approvals.webhooks, webhook_store(room))
    visitors = Visitors(room.clock)
    usual = config_home(room.environ, home_of(room.environ)) / "config.toml"
    desk = Desk(
        visitors=visitors,
        codes=opened.links.codes,
        public_url=public_url,
        policy_file=str(room.settings.config_file or usual),
    )
    add_pages(app, desk)
    return HttpServer(app, [opened.listener])
