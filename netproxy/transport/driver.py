"""The life of one client connection: what HTTP and SOCKS drivers have in common.

The set-up (read, decide, dial) is one coroutine that suspends only where something must be waited
for; with a rule that allows and an address at hand it runs through in one go. A tunnel in its
steady state is a `Relay`, without a task. What is said on the wire: `http_driver`, `socks_driver`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from netproxy.model import CloseReason
from netproxy.transport.relay import Relay
from netproxy.transport.upstream import Passage, Upstream, reach

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from netproxy.errors import DestinationUnreachable
    from netproxy.model import ApprovalId, Decision, Request
    from netproxy.transport.services import Services
    from netproxy.transport.stream import Stream


class Connection(ABC):
    """One accepted client. `on_closed` is called exactly once, when nothing of it is left."""

    __slots__ = (
        "_client",
        "_client_address",
        "_cut_for",
        "_is_over_limit",
        "_on_closed",
        "_passage",
        "_relay",
        "_services",
        "_task",
        "_upstream",
        "approval_id",
    )

    def __init__(
        self,
        services: Services,
        client: Stream,
        client_address: str,
        *,
        is_over_limit: bool,
        on_closed: Callable[[Connection], None],
    ) -> None:
        """Take the client over. Over the run's limit it is read, answered no, and recorded."""
        self._services = services
        self._client = client
        self._client_address = client_address
        self._is_over_limit = is_over_limit
        self._on_closed = on_closed
        self._task: asyncio.Task[None] | None = None
        self._relay: Relay | None = None
        self._upstream: Upstream | None = None
        self._cut_for: CloseReason | None = None
        self._passage: Passage | None = None  # of the request that is let through or asked about
        self.approval_id: ApprovalId | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The set-up while it runs; None once the connection is a tunnel or gone."""
        return self._task

    def start(self) -> None:
        """Begin, and go as far as it goes without waiting."""
        asyncio.Task(self._run(), loop=self._services.readiness.loop, eager_start=True)

    def cut(self, reason: CloseReason) -> None:
        """End it now, wherever it stands."""
        self._cut_for = reason
        if self._relay is not None:
            self._relay.end(reason)
        elif self._task is not None:
            self._task.cancel()

    def close_approved(self, approval_id: ApprovalId) -> None:
        """Cut it if this approval carries it: the grant was revoked."""
        if self.approval_id == approval_id:
            self.cut(CloseReason.REVOKED)

    def judge_again(self) -> None:
        """Cut it if the policy in force no longer lets its request through."""
        passage = self._passage
        if passage is None or self._cut_for is not None or passage.is_open(self._services):
            return
        self.cut(CloseReason.POLICY_CHANGED)

    @abstractmethod
    async def _serve(self) -> None:
        """Talk to the client until it is refused, gone, or a tunnel."""

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._serve()
        except (ConnectionError, TimeoutError):
            pass  # the client is gone: there is nobody to answer
        except Exception as problem:  # noqa: BLE001 root of the task: this connection only, and shut
            self._services.report(f"netproxy: a connection failed inside the gateway: {problem!r}")
        finally:
            self._task = None
            self._set_up()

    def _set_up(self) -> None:
        """The set-up is over: without a tunnel nothing is left of it."""
        if self._relay is None:
            self._client.close()
            self._on_closed(self)

    @property
    def _broken_off(self) -> CloseReason:
        """Why it ends when it does not end well."""
        return self._cut_for or CloseReason.RESET

    def _asking(self) -> AbstractContextManager[object, bool]:
        """While somebody is asked: a client that leaves takes its question with it."""
        return _Wait(self, self._client.watched(self._left))

    def was_overruled(self) -> bool:
        """Whether it is the policy that cancelled the wait; then the task goes on to answer."""
        if self._cut_for is not CloseReason.POLICY_CHANGED or self._task is None:
            return False
        self._cut_for = None
        self._task.uncancel()
        return True

    def _left(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _admitted(self, request: Request) -> Decision:
        gate = self._services.gate
        if self._is_over_limit:
            return gate.refuse_over_limit(request, self._services.limits.connections_per_run)
        self._passage = passage = Passage(request=request)
        decision = await gate.admit(request, waiting=self._asking)
        self.approval_id = decision.approval_id
        passage.is_asked = decision.approval_id is not None
        if not decision.allowed:
            self._passage = None
        return decision

    async def _reach(self, request: Request) -> Upstream | Decision | DestinationUnreachable:
        """Connect, unless the policy changes before that is done."""
        passage = self._passage
        if passage is None or passage.request is not request:
            raise AssertionError("only what was admitted is dialled")
        found: Upstream | Decision | DestinationUnreachable | None = None
        with _Wait(self):
            found = await reach(self._services, passage)
        if found is None:
            found = passage.overruled(self._services)
        if not isinstance(found, Upstream):
            self._passage = None
        return found

    async def _tunnel(self, upstream: Upstream, greeting: bytes) -> None:
        """Say that it is open, then get out of the way."""
        try:
            await self._client.send(greeting)
        except BaseException:
            upstream.socket.close()
            upstream.closed(self._broken_off, sent=0, received=0)
            raise
        early = self._client.unread
        self._upstream = upstream
        self._relay = Relay(
            self._services.readiness,
            self._client.release(),
            upstream.socket,
            buffer=self._services.buffer,
            on_end=self._tunnel_ended,
        )
        try:
            self._relay.start(early)
        except Exception:
            self._relay.end(CloseReason.RESET)
            raise

    def _tunnel_ended(self, reason: CloseReason) -> None:
        relay, upstream = self._relay, self._upstream
        if relay is None or upstream is None:
            raise AssertionError("a tunnel ended that never began")
        upstream.closed(reason, sent=relay.bytes_sent, received=relay.bytes_received)
        self._on_closed(self)

    async def _farewell(self, answer: bytes) -> None:
        """Send the last answer so that it arrives.

        Closing with unread bytes makes the kernel send a reset, which may overtake the answer: so
        half-close, and read on until the client has closed too, for a limited time.
        """
        try:
            async with asyncio.timeout(self._services.limits.linger_seconds):
                await self._client.send(answer)
                self._client.shut_writing()
                while await self._client.receive():
                    pass
        except TimeoutError:
            self._client.abort()


class _Wait:
    """A wait that a change of the policy ends without ending the task: it still has to answer."""

    __slots__ = ("_connection", "_watch")

    def __init__(
        self, connection: Connection, watch: AbstractContextManager[object] | None = None
    ) -> None:
        self._connection = connection
        self._watch = watch

    def __enter__(self) -> None:
        if self._watch is not None:
            self._watch.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        return kind is asyncio.CancelledError and self._connection.was_overruled()
