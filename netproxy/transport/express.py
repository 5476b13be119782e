"""A client of plain HTTP between two requests, and with one that needs no task.

By far most requests are alike: a head without content, a rule that allows, a connection of the
pool, an answer in a few reads. They are served by callbacks, each of which goes as far as it can
without waiting. Whatever else comes up (somebody is asked, a dial, a refusal, an upload, an interim
answer, a slow client, an end too soon) is for the coroutine of `http_driver`, which goes on from
there. Between two requests a client has neither task nor timer.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, override

from netproxy.connection.authorization import logs_in, shown_secret
from netproxy.model import CloseReason, ConnectionId, Decision, Request
from netproxy.transport.driver import Connection
from netproxy.transport.forward import Exchange, Step
from netproxy.transport.pool import lane
from netproxy.transport.upstream import Upstream, resumed
from otel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from netproxy.connection.known_requests import KnownRequest
    from netproxy.model import Destination
    from netproxy.protocol.http1 import RequestHead
    from netproxy.transport.pool import Lane

    # Serves one request; True when the connection can carry another.
    type Served = Coroutine[None, None, bool]

# Half of an answer must not look like a whole one, when it is us who cut it off.
_BROKEN_OFF = frozenset(
    {
        CloseReason.POLICY_CHANGED,
        CloseReason.REVOKED,
        CloseReason.GRANT_EXPIRED,
        CloseReason.BYTE_LIMIT,
        CloseReason.IDLE,
        CloseReason.LIFETIME,
    }
)


class ExpressConnection(Connection):
    """Rests, and serves what is simple; the rest of `Connection` is a subclass's."""

    __slots__ = (
        "_is_first", "_known", "_may_rest", "_moved", "_moved_at", "_own", "_path", "_rest_began",
        "_running", "_shared",
    )  # fmt: skip

    _is_first: bool  # nothing was answered yet
    _known: KnownRequest | None  # what is served without a task, and its path
    _path: bytes
    _shared: Lane | None  # whose connections it may use
    _own: object | None  # what makes a lane its own, once it logs connections in
    _running: Exchange | None
    _may_rest: bool  # the task was over with everything that had come
    _moved: int  # bytes of what runs, when the sweep last looked and they had changed
    _moved_at: float  # the loop's time of that look, in seconds
    _rest_began: float | None  # the loop's time, in seconds; None while it does not rest

    @override
    def start(self) -> None:
        self._known = self._shared = self._running = self._rest_began = self._own = None
        self._path = b""
        self._moved, self._moved_at = 0, 0.0
        self._may_rest = False
        self._is_first = True
        data = self._arrived()
        if data:
            self._begin(data)
        else:
            super().start()

    @property
    @override
    def in_flight(self) -> int:
        return super().in_flight if self._running is None else self._running.in_flight

    @override
    def cut(self, reason: CloseReason) -> None:
        """End it now. What has no task is over when this returns."""
        if self._task is not None or self._relay is not None or self._awaits_record:
            super().cut(reason)
            return
        self._cut_for = reason
        exchange, self._running = self._running, None
        if exchange is not None:
            self._ended(exchange)
        self._leave()

    @override
    def expire(self, now: float) -> None:
        limits, exchange = self._services.limits, self._running
        if exchange is not None:
            quiet_seconds = now - self._quiet_since(exchange, now)
            if now - exchange.upstream.opened_at >= limits.lifetime_seconds:
                self.cut(CloseReason.LIFETIME)
            elif quiet_seconds >= limits.idle_seconds:
                self.cut(CloseReason.IDLE)
            elif self._is_deserted(exchange, quiet_seconds):
                self.cut(CloseReason.RESET)
        elif self._rest_began is None:
            super().expire(now)
        elif now - self._rest_began >= limits.keep_alive_seconds:
            self._leave()

    def _is_deserted(self, exchange: Exchange, quiet_seconds: float) -> bool:
        """Whether nobody waits for the answer any more; while none comes, nothing else tells."""
        try:
            is_over = self._client.is_over()
        except OSError:
            return True
        is_silent = quiet_seconds >= self._services.limits.half_closed_seconds
        return is_over and is_silent and not exchange.has_answered

    def _quiet_since(self, exchange: Exchange, now: float) -> float:
        """Since when no byte was exchanged, as far as the sweep knows, which looks now and then."""
        if exchange.in_flight != self._moved:
            self._moved, self._moved_at = exchange.in_flight, now
        # As many may have moved in the exchange before.
        return max(self._moved_at, exchange.upstream.opened_at)

    @override
    @abstractmethod
    async def _serve(self, rest: Served | None = None) -> None:
        """Serve what was begun, or what has come, and leave the client to rest."""

    @abstractmethod
    async def _forward(
        self, head: RequestHead, request: Request, shared: Lane | None, begun: Begun
    ) -> bool:
        """Go on with a request that was let through; `begun` is what came of it by now."""

    @abstractmethod
    async def _refuse(self, head: RequestHead, request: Request, decision: Decision) -> bool:
        """Say no."""

    @override
    def _set_up(self) -> None:
        if self._may_rest and self._cut_for is None:
            self._rest()
        else:
            super()._set_up()
            if self._own is not None:
                self._services.pool.close_own(self._own)

    def _rest(self) -> None:
        self._may_rest = self._is_first = False
        self._is_idle = True
        self._rest_began = self._services.readiness.loop.time()
        self._client.rest(self._stirred)

    def _leave(self) -> None:
        """Nothing is left of it."""
        self._may_rest = False
        self._rest_began = None
        self._set_up()

    def _stirred(self) -> None:
        """Something came while it rested: a request, a part of one, or the end."""
        data = self._arrived()
        if data is None:
            self._client.rest(self._stirred)
            return
        self._is_idle = False
        self._rest_began = None
        if data:
            self._begin(data)
        else:
            self._leave()

    def _arrived(self) -> bytes | None:
        """Read; None for nothing, and nothing for the end."""
        try:
            return self._client.receive_now()
        except OSError:
            return b""

    def _begin(self, data: bytes) -> None:
        try:
            if self._is_simple(data):
                return
        except Exception as problem:  # noqa: BLE001 root of the callback: this connection only
            self._failed(problem)
            return
        self._client.unread = data
        super().start()

    def _is_simple(self, data: bytes) -> bool:
        """Serve it if so; else nothing was done."""
        services = self._services
        found = services.known_requests.read(data)
        if found is None:
            return False
        known, self._path = found
        # What was written for its origin names the address, and nobody's rule is about that.
        if services.meant(known.destination) != known.destination:
            return False
        if self._door is not None and (
            # Who shows for the first time whose it is changes to a run with another name in Via.
            self._identity is None or not self._is_let_in(shown_secret(known.head.fields))
        ):
            return False
        request = Request(
            destination=known.destination,
            method=known.head.method,
            connection_id=ConnectionId(new_id("c")),
            client_address=self._client_address,
        )
        self._known = known
        return self._admit_now(request, lambda decision: self._decided(request, decision))

    def _decided(self, request: Request, decision: Decision) -> None:
        known = self._known
        assert known is not None, "only what is known is decided without a task"
        try:
            if not decision.allowed:
                self._finish_by_task(self._refuse(known.at(self._path), request, decision))
                return
            shared = self._shared = self._lane(known.head, known.destination, decision)
            begun = self._resumed(known.head, shared, onward=known.onward(self._path))
            if isinstance(begun, Exchange):
                self._running = begun
                self._after(begun, begun.begin())
            else:
                self._finish_by_task(self._forward(known.at(self._path), request, shared, begun))
        except Exception as problem:  # noqa: BLE001 root of the callback: this connection only
            self._failed(problem)

    def _came(self) -> None:
        """Something came from the origin."""
        exchange = self._running
        if exchange is None:
            return
        try:
            self._after(exchange, exchange.advance())
        except Exception as problem:  # noqa: BLE001 root of the callback: this connection only
            self._failed(problem)

    def _after(self, exchange: Exchange, step: Step) -> None:
        if step is Step.WAIT:
            exchange.when_ready(self._came)
        elif step is Step.DONE and exchange.keeps_alive:
            self._running = None
            self._ended(exchange)
            if self._is_retiring:
                self._go_on(self._part())
            else:
                self._rest()
        else:
            known = self._known
            assert known is not None, "what runs without a task was known"
            request = exchange.upstream.request
            self._finish_by_task(
                self._forward(known.at(self._path), request, self._shared, exchange)
            )

    def _lane(self, head: RequestHead, where: Destination, decision: Decision) -> Lane | None:
        """Choose whose connections a request may use."""
        if self._own is None and logs_in(head.index):
            self._own = object()
        return lane(where, decision, own=self._own)

    def _resumed(
        self, head: RequestHead, shared: Lane | None, *, onward: bytes | None = None
    ) -> Begun:
        """Take a connection of the pool; None if none there may be used."""
        passage = self._passage
        resting = None if shared is None else self._services.pool.take(shared)
        if passage is None or resting is None:
            return None
        found = resumed(self._services, passage, resting.upstream)
        if isinstance(found, Upstream):
            return Exchange(
                self._client,
                head,
                resting.stream,
                found,
                lane=shared,
                is_reused=True,
                onward=onward,
            )
        resting.stream.close()
        if found is not None:
            self._passage = None
        return found

    def _ended(self, exchange: Exchange) -> None:
        exchange.close(self._cut_for)
        if self._cut_for in _BROKEN_OFF:
            self._client.abort()
        if not exchange.is_stale:
            self._passage = None
        elif self._passage is not None:
            self._passage.addresses = ()  # they are looked up and judged anew

    def _finish_by_task(self, rest: Served) -> None:
        self._go_on(self._serve(rest))

    def _failed(self, problem: Exception) -> None:
        self._failed_inside(problem)
        self.cut(CloseReason.RESET)


# An exchange on a connection of the pool; the refusal to use that; None: it needs a new one.
type Begun = Exchange | Decision | None
