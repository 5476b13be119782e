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

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from netproxy.model import ApprovalId, Decision, Request
    from netproxy.transport.services import Services
    from netproxy.transport.stream import Stream
    from netproxy.transport.upstream import Upstream


class Connection(ABC):
    """One accepted client. `on_closed` is called exactly once, when nothing of it is left."""

    __slots__ = (
        "_client",
        "_client_address",
        "_cut_for",
        "_is_over_limit",
        "_on_closed",
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
            if self._relay is None:
                self._client.close()
                self._on_closed(self)

    @property
    def _broken_off(self) -> CloseReason:
        """Why it ends when it does not end well."""
        return self._cut_for or CloseReason.RESET

    def _watched(self) -> AbstractContextManager[None]:
        """While somebody is asked: a client that leaves takes its question with it."""
        return self._client.watched(self._left)

    def _left(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _admitted(self, request: Request) -> Decision:
        gate = self._services.gate
        if self._is_over_limit:
            return gate.refuse_over_limit(request, self._services.limits.connections_per_run)
        decision = await gate.admit(request, waiting=self._watched)
        self.approval_id = decision.approval_id
        return decision

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
