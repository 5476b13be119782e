"""A client that is led to one place which its operator named beforehand: connect, record, relay.

Nothing is asked for and nothing judged: that there is such a link at all was decided by whoever
gave the option, and within the bounds of the managed file. What it leads to says the `Link`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol, override

from netproxy.connection.overload import Overload
from netproxy.errors import Failure
from netproxy.model import CloseReason, ConnectionId
from netproxy.transport.dialer import FAILURES
from netproxy.transport.driver import Connection
from netproxy.transport.relay import Relay
from netproxy.transport.stream import abort
from otel.errors import AuditUnavailable
from otel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.transport.door import Door
    from netproxy.transport.services import Services
    from netproxy.transport.sockets import Socket
    from netproxy.transport.stream import Stream
    from otel.events import Event

_MILLISECONDS = 1000


class Flow(NamedTuple):
    """What went through one connection: bytes from the client and to it."""

    sent: int
    received: int
    duration_ms: int
    reason: CloseReason


class Link(Protocol):
    """Where a client is led, and what is recorded of it."""

    async def open(self) -> Socket:
        """Return a connected, non-blocking socket. Raises `OSError`."""
        ...

    def opened(self, connection_id: ConnectionId, client_address: str) -> Event:
        """Bytes can flow from here on."""
        ...

    def refused(
        self, connection_id: ConnectionId, client_address: str, *, error_type: str
    ) -> Event:
        """Nothing came of it; `error_type` of RFC 9209."""
        ...

    def drop(self) -> None:
        """Nothing comes of it, and `open` was not asked."""

    def closed(self, connection_id: ConnectionId, client_address: str, flow: Flow) -> Event:
        """It is over."""
        ...


class LinkedConnection(Connection):
    """One client of a link. Whom it can't serve it resets: there is no protocol to say no in."""

    __slots__ = ("_id", "_is_open", "_link", "_opened_at")

    def __init__(  # noqa: PLR0913  # as every connection, and where it leads
        self,
        services: Services,
        client: Stream,
        client_address: str,
        *,
        overload: Overload | None,
        on_closed: Callable[[Connection], None],
        door: Door | None = None,
        link: Link,
    ) -> None:
        """Take the client over. Over a limit it is reset, and counted."""
        super().__init__(
            services, client, client_address, overload=overload, on_closed=on_closed, door=door
        )
        self._link = link
        self._id = ConnectionId(new_id("c"))
        self._is_open = False  # from then on the relay's end is its own
        self._opened_at = 0.0  # the loop's time, in seconds

    @property
    @override
    def in_flight(self) -> int:
        relay = self._relay
        return 0 if relay is None else relay.bytes_sent + relay.bytes_received

    @override
    def expire(self, now: float) -> None:
        relay, limits = self._relay, self._services.limits
        if relay is None:
            return
        if now - self._opened_at >= limits.lifetime_seconds:
            self.cut(CloseReason.LIFETIME)
        elif now - relay.quiet_since(now) >= limits.idle_seconds:
            self.cut(CloseReason.IDLE)

    @override
    async def _serve(self) -> None:
        try:
            overload = Overload.BYTES if self._services.allowance.is_spent else self._overload
            if overload is not None:
                self._turned_away(overload, self._client_address)
                self._link.drop()
            elif (far := await self._reach_far()) is not None:
                await self._carry(far)
        finally:
            if not self._is_open:
                abort(self._client.socket)

    async def _reach_far(self) -> Socket | None:
        try:
            async with asyncio.timeout(self._services.limits.connect_seconds):
                return await self._link.open()
        except OSError as problem:
            failure = FAILURES.get(problem.errno or 0, Failure.CONNECTION_TERMINATED)
            if isinstance(problem, TimeoutError):
                failure = Failure.CONNECTION_TIMEOUT
            error_type = failure.value.proxy_status
            self._services.note(
                self._link.refused(self._id, self._client_address, error_type=error_type)
            )
            return None

    async def _carry(self, far: Socket) -> None:
        try:
            await self._services.audit.written(self._link.opened(self._id, self._client_address))
        except AuditUnavailable:  # nothing flows that is not on record
            far.close()
            return
        except BaseException:
            far.close()
            self._record_end(self._broken_off, sent=0, received=0)
            raise
        client = self._client
        self._is_open, self._opened_at = True, self._services.readiness.loop.time()
        relay = self._relay = Relay(
            self._services.relays, client.socket, far, on_end=self._relay_ended
        )
        try:
            early, client.unread = client.unread, b""
            relay.start(early, watched=client.hand_over())
        except Exception:
            relay.end(CloseReason.RESET)
            raise

    @override
    def _set_up(self) -> None:
        if not self._is_open:
            super()._set_up()

    def _relay_ended(self, reason: CloseReason) -> None:
        relay = self._relay
        if relay is None:
            raise AssertionError("a relay ended that never began")
        sent, received = relay.bytes_sent, relay.bytes_received
        self._services.allowance.moved += sent + received
        self._record_end(reason, sent=sent, received=received)
        self._relay = None  # it knows this connection, too: see `Relay.end`
        self._on_closed(self)

    def _record_end(self, reason: CloseReason, *, sent: int, received: int) -> None:
        seconds = self._services.readiness.loop.time() - self._opened_at if self._is_open else 0.0
        flow = Flow(sent, received, round(seconds * _MILLISECONDS), reason)
        self._services.note(self._link.closed(self._id, self._client_address, flow))
