"""The life of one client connection: what HTTP and SOCKS drivers have in common.

The set-up (read, decide, dial) is one coroutine that suspends only where something must be waited
for; with a rule that allows and an address at hand it runs through in one go. A tunnel in its
steady state is a `Relay`, without a task. What is said on the wire: `http_driver`, `socks_driver`.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, override

from netproxy.connection.overload import Overload
from netproxy.model import CloseReason
from netproxy.transport.attempt import Attempt, Wait
from netproxy.transport.first_bytes import FirstBytes, observed
from netproxy.transport.relay import Relay
from netproxy.transport.sockets import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

    from netproxy.connection.credentials import Identity
    from netproxy.connection.records import Stray
    from netproxy.model import Decision
    from netproxy.protocol.tls_hello import Hello
    from netproxy.transport.deadline import Deadline
    from netproxy.transport.door import Door
    from netproxy.transport.services import Services
    from netproxy.transport.stream import Stream
    from netproxy.transport.upstream import Upstream


class Connection(Attempt):
    """One accepted client. `on_closed` is called exactly once, when nothing of it is left."""

    __slots__ = (
        "_client",
        "_client_address",
        "_door",
        "_identity",
        "_is_idle",
        "_is_retiring",
        "_on_closed",
        "_relay",
        "_upstream",
        "accepted_at",
    )

    def __init__(  # noqa: PLR0913 a client, where it came in, and what is known of it
        self,
        services: Services,
        client: Stream,
        client_address: str,
        *,
        overload: Overload | None,
        on_closed: Callable[[Connection], None],
        door: Door | None = None,
    ) -> None:
        """Take the client over. Over a limit it is read, answered no, and counted."""
        super().__init__(services, overload=overload)
        self.accepted_at = services.readiness.loop.time()  # in its seconds
        self._client = client
        self._client_address = client_address
        self._door = door
        self._identity: Identity | None = None
        self._is_idle = False  # it may ask for something, and has begun with nothing
        self._is_retiring = False
        self._on_closed = on_closed
        self._relay: Relay | None = None
        self._upstream: Upstream | None = None

    def start(self) -> None:
        """Begin, and go as far as it goes without waiting."""
        self._go_on(self._serve())

    def _go_on(self, rest: Coroutine[None, None, None]) -> None:
        """Do the rest of the set-up in a task, which waits for whatever it has to.

        It was cut before if its own refusal ended the run: then it says so, and waits for nothing.
        """
        asyncio.Task(self._run(rest), loop=self._services.readiness.loop, eager_start=True)
        if self._cut_for is not None and self._task is not None:
            self._task.cancel(self._cut_for)

    @override
    def cut(self, reason: CloseReason) -> None:
        """End it now, wherever it stands."""
        if self._relay is not None:
            self._relay.end(self._cut_for or reason)
            return
        self._cut_for = reason
        if self._task is not None:
            self._task.cancel(reason)
        elif self._is_judged:
            return  # it is told first why
        elif self._awaits_record and reason is not CloseReason.POLICY_CHANGED:
            self._awaits_record = False
            self._set_up()

    @property
    @override
    def is_under_way(self) -> bool:
        return self._relay is None

    @property
    @override
    def in_flight(self) -> int:
        relay, upstream = self._relay, self._upstream
        if relay is None or upstream is None:
            return 0
        return relay.bytes_sent + relay.bytes_received + upstream.sent + upstream.received

    @abstractmethod
    async def _serve(self) -> None:
        """Talk to the client until it is refused, gone, or a tunnel."""

    async def _run(self, rest: Coroutine[None, None, None]) -> None:
        self._task = asyncio.current_task()
        try:
            await rest
        except Exception as problem:  # noqa: BLE001 root of the task: this connection only, and shut
            if not is_gone(problem):  # a client that is: there is nobody to answer
                self._failed_inside(problem)
        finally:
            self._task = None
            self._set_up()

    def _failed_inside(self, problem: Exception) -> None:
        self._services.report(f"netproxy: a connection failed inside the gateway: {problem!r}")

    def _set_up(self) -> None:
        """The set-up is over: without a tunnel nothing is left of it."""
        if self._upstream is None:
            self._passage = None
            self._client.close()
            self._on_closed(self)

    def retire(self) -> None:
        """Finish what was begun, and serve nothing more."""
        self._is_retiring = True
        if self._is_idle and self._client.is_silent():
            self.cut(CloseReason.FINISHED)

    def join(
        self,
        services: Services,
        *,
        overload: Overload | None,
        on_closed: Callable[[Connection], None],
    ) -> None:
        """Become a connection of another run, before it asked for anything."""
        self._on_closed(self)
        self._services = services
        self._overload = self._overload or overload
        self._on_closed = on_closed

    def _is_let_in(self, secret: bytes | None) -> bool:
        """Whether the client may ask for anything, after it showed this where one is asked for.

        From then on it is a client of the run that the secret stands for.
        """
        if self._door is None:
            return True
        who = self._door.let_in(self, secret, self._identity)
        if who is not None:
            self._identity = who
        return who is not None

    def _record_stray(self, stray: Stray, message: str) -> Decision:
        """Put what can't be read on record; of somebody who showed no secret it is only counted."""
        if self._overload is not None or (self._door is not None and self._identity is None):
            return self._turned_away(self._overload or Overload.CREDENTIALS, stray.client_address)
        return self._services.gate.refuse_malformed(stray, message)

    @property
    def _head_seconds(self) -> float:
        """How long it may take to say what it wants; whoever gets a no anyway has less."""
        limits = self._services.limits
        return limits.head_seconds if self._overload is None else limits.linger_seconds

    @property
    def _handshakes(self) -> Deadline:
        """The same, for those who need no timer of their own."""
        services = self._services
        return services.handshakes if self._overload is None else services.lingering

    @override
    def _asking(self) -> AbstractContextManager[object, bool]:
        """While somebody is asked: a client that leaves takes its question with it."""
        return Wait(self, self._client.watched(self._left))

    def _left(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _tunnel(self, upstream: Upstream, greeting: bytes, answered: bytes = b"") -> None:
        """Say that it is open, then get out of the way. `answered` came from the origin already."""
        try:
            await self._tell(greeting)
        except BaseException:
            upstream.socket.close()
            upstream.closed(self._broken_off, sent=0, received=0)
            raise
        client = self._client
        self._upstream = upstream
        relay = self._relay = Relay(
            self._services.relays,
            client.socket,
            upstream.socket,
            on_end=self._tunnel_ended,
            first=self._first_bytes(),
        )
        try:
            early, client.unread = client.unread, b""
            relay.start(early, answered, watched=client.hand_over())
        except Exception:
            relay.end(CloseReason.RESET)
            raise

    async def _tell(self, answer: bytes) -> None:
        """Answer; who reads nothing of what it asked for is hung up on in the end."""
        rest = self._client.send_now(answer) if answer else answer
        if rest:  # rarely: what was answered before is still not read
            async with asyncio.timeout(self._services.limits.idle_seconds):
                await self._client.send(rest)

    def _first_bytes(self) -> FirstBytes:
        """Make what looks at the first bytes of a tunnel."""
        return FirstBytes(self._services, self._may_say)

    def _may_say(self, hello: Hello) -> bool:
        """Put on record what TLS shows, and cut the tunnel if it asks for another name."""
        if self._upstream is None:
            raise AssertionError("only a tunnel has first bytes")
        request = self._upstream.request
        self._services.note(observed(request, hello))
        refuse = self._services.gate.refuse_hello
        return self._goes_on(lambda: refuse(request, hello), CloseReason.SNI_MISMATCH)

    def _goes_on(self, refused: Callable[[], Decision | None], reason: CloseReason) -> bool:
        """Cut the tunnel for this reason if what was seen in it is refused."""
        # Whoever is cancelled for it cuts all of its connections: this one was first.
        self._cut_for = reason
        if refused() is None:
            self._cut_for = None
            return True
        self.cut(reason)
        return False

    def expire(self, now: float) -> None:
        """Fills `netproxy.transport.sweep.Mortal`: only tunnels have no timer of their own."""
        relay, upstream, limits = self._relay, self._upstream, self._services.limits
        if relay is None or upstream is None:
            return
        if now - upstream.opened_at >= limits.lifetime_seconds:
            self.cut(CloseReason.LIFETIME)
        elif now - relay.quiet_since(now) >= limits.idle_seconds:
            self.cut(CloseReason.IDLE)

    def _tunnel_ended(self, reason: CloseReason) -> None:
        relay, upstream = self._relay, self._upstream
        if relay is None or upstream is None:
            raise AssertionError("a tunnel ended that never began")
        upstream.closed(reason, sent=relay.bytes_sent, received=relay.bytes_received)
        # They know this connection, too: see `Relay.end`.
        self._relay = self._passage = None
        self._on_closed(self)

    async def _part(self) -> None:
        """Close after an answer: at once, but for what came that nobody reads any more."""
        if not self._client.is_silent():
            await self._farewell(b"")

    async def _farewell(self, answer: bytes) -> None:
        """Send the last answer so that it arrives.

        Closing with unread bytes makes the kernel send a reset, which may overtake the answer: so
        half-close, and read on until the client has closed too, for a limited time. Who sends
        nothing more is closed then: the kernel delivers the rest as slowly as it is read.
        """
        is_said = False
        try:
            async with asyncio.timeout(self._services.limits.linger_seconds):
                await self._client.send(answer)
                self._client.shut_writing()
                is_said = True
                while await self._client.receive():
                    pass
        except TimeoutError:
            if not (is_said and self._client.is_silent()):
                self._client.abort()
