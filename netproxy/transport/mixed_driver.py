"""A client of a listener for HTTP and SOCKS alike: its first byte says which it speaks.

No HTTP request begins with a byte of value 4 or 5 (RFC 9110 section 5.6.2), no SOCKS one with
another. The kernel usually hands a client over with its first bytes; then its driver is chosen
before it is made, and a mixed listener costs nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, override

from netproxy.model import CloseReason
from netproxy.protocol.socks5 import SOCKS4_VERSION, VERSION
from netproxy.transport.driver import Connection
from netproxy.transport.http_driver import HttpConnection
from netproxy.transport.socks_driver import SocksConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from netproxy.model import ApprovalId
    from netproxy.transport.deadline import Deadline
    from netproxy.transport.stream import Stream

_SOCKS = frozenset({VERSION, SOCKS4_VERSION})


def driver_for(stream: Stream) -> type[Connection]:
    """Choose by what is there already; what was read stays for the driver."""
    try:
        data = stream.receive_now()
    except OSError:
        data = b""  # it is gone, which the driver will see, too
    if data is None:
        return MixedConnection
    stream.unread = data
    return _speaks(data)


def _speaks(data: bytes) -> type[Connection]:
    return SocksConnection if data[:1] and data[0] in _SOCKS else HttpConnection


class MixedConnection(Connection):
    """Waits for the first byte of a slow client; from then on another connection is its heir."""

    __slots__ = ("_deadline", "_heir")

    _deadline: Deadline  # of the first byte, and of what a client of SOCKS asks for
    _heir: Connection | None

    @property
    @override
    def task(self) -> asyncio.Task[None] | None:
        return self._task if self._heir is None else self._heir.task

    @property
    @override
    def is_under_way(self) -> bool:
        return self._heir is None or self._heir.is_under_way

    @override
    def start(self) -> None:
        self._heir = None
        self._deadline = self._handshakes
        self._deadline.begin(self._client, self._late)
        super().start()

    @override
    def cut(self, reason: CloseReason) -> None:
        if self._heir is None:
            super().cut(reason)
        else:
            self._heir.cut(reason)

    @property
    @override
    def in_flight(self) -> int:
        return 0 if self._heir is None else self._heir.in_flight

    @override
    def carried(self) -> Iterable[tuple[ApprovalId | None, int]]:
        return () if self._heir is None else self._heir.carried()

    @override
    def retire(self) -> None:
        super().retire()
        if self._heir is not None:
            self._heir.retire()

    @override
    def close_approved(self, approval_id: ApprovalId, reason: CloseReason) -> None:
        if self._heir is not None:
            self._heir.close_approved(approval_id, reason)

    @override
    def expire(self, now: float) -> None:
        if self._heir is not None:
            self._heir.expire(now)

    @override
    def judge_again(self) -> None:
        if self._heir is not None:
            self._heir.judge_again()

    @override
    async def _serve(self) -> None:
        self._is_idle = True
        data = await self._client.receive()
        self._is_idle = False
        self._client.unread = data
        speaks = _speaks(data)
        if speaks is not SocksConnection:
            self._deadline.end(self._client)
        self._heir = speaks(
            self._services,
            self._client,
            self._client_address,
            overload=self._overload,
            on_closed=lambda _: self._on_closed(self),
            door=self._door,
        )
        self._heir.accepted_at = self.accepted_at
        self._heir.start()
        if self._is_retiring:
            self._heir.retire()

    def _late(self) -> None:
        self.cut(CloseReason.IDLE)

    @override
    def _set_up(self) -> None:
        if self._heir is None:
            self._deadline.end(self._client)
            super()._set_up()
