"""Datagrams between one association and one destination: decided and connected as a tunnel is.

Until then a few are held. Each one is passed on as one, never as more; what does not fit is lost,
as datagrams are. Only what the client sends keeps a flow alive (RFC 4787 REQ-6): a peer can't.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, override

from netproxy.model import CloseReason
from netproxy.protocol.socks5_udp import header_from
from netproxy.transport.attempt import Attempt
from netproxy.transport.datagrams import DatagramDialer
from netproxy.transport.readiness import READABLE
from netproxy.transport.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.model import Request
    from netproxy.ports import Dialer
    from netproxy.transport.services import Services
    from netproxy.transport.udp_ports import Address

# So many answers are passed on at a time; then others have their turn.
_BATCH = 32
# The longest UDP payload is 65507 bytes.
_DATAGRAM_BYTES = 65536
_DIALER = DatagramDialer()


class Flow(Attempt):
    """One destination of an association. `on_closed` is called exactly once."""

    __slots__ = (
        "_bytes",
        "_counts",
        "_deliver",
        "_header",
        "_held",
        "_on_closed",
        "_on_lost",
        "_on_opened",
        "_upstream",
        "last_sent_at",
        "peer",
        "request",
    )

    def __init__(  # noqa: PLR0913 what it is for, and what its association wants to know
        self,
        services: Services,
        request: Request,
        *,
        deliver: Callable[[bytes], bool],
        on_lost: Callable[[int], None],
        on_opened: Callable[[Flow], None],
        on_closed: Callable[[Flow], None],
    ) -> None:
        """`on_lost`: so many datagrams go nowhere that were held at first."""
        super().__init__(services, overload=None)
        self.request = request
        self.peer: Address | None = None  # who may answer, once it is open
        self.last_sent_at = services.readiness.loop.time()
        self._deliver = deliver
        self._on_lost = on_lost
        self._on_opened = on_opened
        self._on_closed = on_closed
        self._held: list[bytes] = []
        self._upstream: Upstream | None = None
        self._header = b""
        self._bytes = [0, 0]  # sent, received
        self._counts = [0, 0]

    @property
    def opened_at(self) -> float | None:
        """Of the loop's clock; None while it is being decided."""
        return None if self._upstream is None else self._upstream.opened_at

    def start(self) -> None:
        """Begin, and go as far as it goes without waiting."""
        asyncio.Task(self._run(), loop=self._services.readiness.loop, eager_start=True)

    def send(self, data: memoryview) -> bool:
        """Pass one on, or hold it; False if it is lost."""
        if self._upstream is None:
            if len(self._held) >= self._services.limits.udp_held_datagrams:
                return False
            self._held.append(bytes(data))
            return True
        self.last_sent_at = self._services.readiness.loop.time()
        return self._has_room(len(data)) and self._pass_on(self._upstream, data)

    @property
    @override
    def in_flight(self) -> int:
        return 0 if self._upstream is None else sum(self._bytes)

    @override
    def cut(self, reason: CloseReason) -> None:
        self._cut_for = reason
        if self._upstream is not None:
            self._close(self._upstream, reason)
        elif self._task is not None:
            self._task.cancel(reason)

    @property
    @override
    def _dialer(self) -> Dialer:
        return _DIALER

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        try:
            if (await self._admitted(self.request)).allowed:
                found = await self._reach(self.request)
                if isinstance(found, Upstream):
                    self._open(found)
        except Exception as problem:  # noqa: BLE001 root of the task: this flow only, and shut
            self._services.report(f"netproxy: a flow failed inside the gateway: {problem!r}")
        finally:
            self._task = None
            if self.peer is None:
                self._on_lost(len(self._held))
                self._on_closed(self)

    def _open(self, upstream: Upstream) -> None:
        host, port = upstream.socket.getpeername()[:2]
        self.peer = (host, port)
        self._header = header_from(host, port)
        self._upstream = upstream
        self._on_opened(self)
        self._services.readiness.watch(upstream.socket.fileno(), READABLE, self._ready)
        held, self._held = self._held, []
        for data in held:
            self._let_go(memoryview(data))

    def _let_go(self, data: memoryview) -> None:
        """Send what was held; one before it may have been all that the limit leaves."""
        if self._upstream is None or not self.send(data):
            self._on_lost(1)

    def _pass_on(self, upstream: Upstream, data: memoryview) -> bool:
        try:
            try:
                upstream.socket.send(data)
            except ConnectionRefusedError:
                # What ICMP said of an earlier one; this one was not sent yet (udp(7)).
                upstream.socket.send(data)
        except OSError:
            return False
        self._bytes[0] += len(data)
        self._counts[0] += 1
        return True

    def _ready(self, _events: int) -> None:
        upstream = self._upstream
        for _ in range(_BATCH):
            if upstream is None:
                return
            try:
                data = upstream.socket.recv(_DATAGRAM_BYTES)
            except OSError:  # nothing more for now, or what ICMP said
                return
            if not self._has_room(len(data)):
                return
            if self._deliver(self._header + data):
                self._bytes[1] += len(data)
                self._counts[1] += 1

    def _has_room(self, count: int) -> bool:
        """Whether so many bytes more are within a tunnel's limit; else this was all."""
        limit = self._services.limits.tunnel_bytes
        if limit is None or sum(self._bytes) + count <= limit:
            return True
        self.cut(CloseReason.BYTE_LIMIT)
        return False

    def _close(self, upstream: Upstream, reason: CloseReason) -> None:
        self._upstream = None
        self._services.readiness.drop(upstream.socket.fileno())
        upstream.socket.close()
        sent, received = self._bytes
        upstream.closed(
            reason, sent=sent, received=received, datagrams=(self._counts[0], self._counts[1])
        )
        self._on_closed(self)
