"""Through the operator's own proxy: dialled by us, told where to connect by python-socks.

python-socks says the words of each protocol over a stream of ours, which reads exactly the
parent's answer and not a byte more: what the origin sends right after it stays in the socket, and
an answer may come in any pieces. The library's own stream would lose both.
A client is never told which parent there is, nor what it said; the record is.
"""

from __future__ import annotations

import asyncio
import re
import socket
from functools import partial
from typing import TYPE_CHECKING, Final, override

from python_socks import ProxyType
from python_socks._abc import AsyncResolver, AsyncSocketStream
from python_socks._connectors.factory_async import create_connector
from python_socks._protocols.errors import ReplyError

from netproxy.connection.routes import ParentKind, Resolving
from netproxy.errors import DestinationUnreachable, Failure
from netproxy.policy.hosts import is_address
from netproxy.transport.readiness import READABLE, WRITABLE, Readiness
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from netproxy.config import Limits
    from netproxy.connection.routes import Parent
    from netproxy.model import Destination
    from netproxy.ports import Dialer, Resolver
    from netproxy.transport.sockets import Socket

_END: Final = b"\r\n\r\n"
# RFC 9110 section 15.2: others may come before the answer; 101 is one.
_INTERIM: Final = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9]{2}[ \r]")
# RFC 9112 section 4; python-socks takes whatever int() does, behind any word.
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] [1-9][0-9]{2}[ \r]")
_YES: Final = range(200, 300)  # RFC 9110 section 9.3.6: any of them; python-socks knows 200 only
_TYPES: Final = {
    ParentKind.HTTP: ProxyType.HTTP,
    ParentKind.SOCKS5: ProxyType.SOCKS5,
    ParentKind.SOCKS4: ProxyType.SOCKS4,
}
# What the parent says of the other side. Whatever else it says: it does not connect.
_SAID: Final = {
    (ParentKind.HTTP, 407): Failure.PARENT_MISCONFIGURED,
    (ParentKind.HTTP, 504): Failure.CONNECTION_TIMEOUT,
    (ParentKind.SOCKS5, 0x03): Failure.NETWORK_UNREACHABLE,
    (ParentKind.SOCKS5, 0x05): Failure.CONNECTION_REFUSED,
    (ParentKind.SOCKS5, 0x06): Failure.CONNECTION_TIMEOUT,
    (ParentKind.SOCKS4, 0x5D): Failure.PARENT_MISCONFIGURED,
}
# Another address may do better; after any other failure the parent would only repeat itself.
_WORTH_ANOTHER: Final = frozenset(
    {
        Failure.CONNECTION_REFUSED,
        Failure.CONNECTION_TIMEOUT,
        Failure.NETWORK_UNREACHABLE,
        Failure.HOST_UNREACHABLE,
    }
)


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection through a parent, and what the parent was told."""

    socket: Socket
    target: str  # a checked address, or the name where the parent resolves


class ParentDialer:
    """Opens connections through parents, all within the time that one dial has."""

    def __init__(
        self, *, readiness: Readiness, limits: Limits, dialer: Dialer, resolver: Resolver
    ) -> None:
        """`dialer` and `resolver` reach the parents themselves, as the operator's own."""
        self._readiness = readiness
        self._limits = limits
        self._dialer = dialer
        self._resolver = resolver

    async def dial(
        self, parent: Parent, destination: Destination, addresses: Sequence[str]
    ) -> Reached:
        """Return a connected, non-blocking socket. Raises `DestinationUnreachable`.

        `addresses` were checked; they are not looked at where the parent resolves.
        """
        problem = DestinationUnreachable(
            Failure.NETWORK_UNREACHABLE, "no address of it can be reached this way"
        )
        targets = _targets(parent, destination, addresses)
        try:
            async with asyncio.timeout(self._limits.connect_seconds) as whole:
                for target in targets:
                    connected = await self._connected(parent, destination)
                    until = None if target is targets[-1] else self._half(whole)
                    telling = self._told(parent, connected, target, destination.port)
                    found = await self._in_time(telling, until)
                    if found is None:
                        return Reached(connected, target)
                    problem = found
                    if problem.failure not in _WORTH_ANOTHER:
                        break
        except TimeoutError:
            problem = self._late()
        raise problem

    def _half(self, whole: asyncio.Timeout) -> float | None:
        """Until when a parent may take with one of several addresses.

        It may have no way to that one, and not notice: then something is left for the next.
        """
        ends_at, now = whole.when(), self._readiness.loop.time()
        return None if ends_at is None else (now + ends_at) / 2

    async def _in_time(
        self, telling: Coroutine[None, None, DestinationUnreachable | None], until: float | None
    ) -> DestinationUnreachable | None:
        try:
            async with asyncio.timeout_at(until):
                return await telling
        except TimeoutError:
            return self._late()

    def _late(self) -> DestinationUnreachable:
        seconds = self._limits.connect_seconds
        return DestinationUnreachable(
            Failure.CONNECTION_TIMEOUT, f"not connected within {seconds:g} seconds"
        )

    async def _connected(self, parent: Parent, destination: Destination) -> Socket:
        """Connect to the parent itself. Where it is, no client learns."""
        where = destination._replace(host=parent.host, port=parent.port)
        try:
            addresses: Sequence[str] = (parent.host,)
            if not is_address(parent.host):
                addresses = await self._resolver.resolve(parent.host)
            return await self._dialer.dial(where, addresses)
        except DestinationUnreachable as failed:
            raise DestinationUnreachable(
                failed.failure, "the way out of this network is down"
            ) from failed

    async def _told(
        self, parent: Parent, connected: Socket, target: str, port: int
    ) -> DestinationUnreachable | None:
        """Say where to; None means that it leads there now. Otherwise it is closed."""
        login = parent.login
        connector = create_connector(
            proxy_type=_TYPES[parent.kind],
            username=login.user if login else None,
            password=login.password if login else None,
            rdns=True,
            resolver=_NoResolver(),
        )
        stream = _Stream(self._readiness, connected, self._limits.head_bytes)
        try:
            await connector.connect(stream=stream, host=target, port=port)
        except BaseException as problem:
            if _is_yes(parent, problem):
                return None
            connected.close()
            if isinstance(problem, ReplyError | OSError | ValueError):
                return _unreachable(parent, problem)
            raise
        return None


def _targets(parent: Parent, destination: Destination, addresses: Sequence[str]) -> Sequence[str]:
    if parent.resolving is Resolving.THERE:
        return (destination.host,)
    if parent.kind is ParentKind.SOCKS4:
        return tuple(address for address in addresses if ":" not in address)
    return addresses


def _is_yes(parent: Parent, problem: BaseException) -> bool:
    code = problem.error_code if isinstance(problem, ReplyError) else None
    return parent.kind is ParentKind.HTTP and code in _YES


def _unreachable(parent: Parent, problem: Exception) -> DestinationUnreachable:
    """Nothing of what the parent sent is repeated: it may be our own credentials."""
    match problem:
        case ReplyError(error_code=int(code)):
            failure = _SAID.get((parent.kind, int(code)), Failure.HOST_UNREACHABLE)
        case ReplyError() if parent.kind is ParentKind.SOCKS5 and "auth" in str(problem).lower():
            failure = Failure.PARENT_MISCONFIGURED
        case OSError():
            failure = Failure.CONNECTION_TERMINATED
        case _:
            failure = Failure.HTTP_PROTOCOL_ERROR
    return DestinationUnreachable(failure, "the way out of this network does not lead there")


class _NoResolver(AsyncResolver):
    """Names are looked up by us before, or by the parent after: never in between."""


class _Stream(AsyncSocketStream):
    """What a connector reads and writes: the parent's answer, to its last byte."""

    def __init__(self, readiness: Readiness, connected: Socket, limit: int) -> None:
        self._readiness = readiness
        self._socket = connected
        self._limit = limit

    @override
    async def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self._ready(WRITABLE)

    @override
    async def read(self, max_bytes: int = 0) -> bytes:
        """Read the answer's head (RFC 9112 section 2.1). Raises `ValueError` for what is none."""
        left = self._limit  # for all of them: they could be without end
        while _INTERIM.match(head := await self._head(left)):
            left -= len(head)
        if not _STATUS.match(head):
            raise ValueError("the answer has no status line of HTTP/1")
        return head

    async def _head(self, limit: int) -> bytes:
        head = b""
        while len(head) < limit:
            seen = await self._received(limit - len(head), socket.MSG_PEEK)
            end = (head + seen).find(_END, max(0, len(head) - len(_END) + 1))
            whole = len(seen) if end < 0 else end + len(_END) - len(head)
            head += self._socket.recv(whole)
            if end >= 0:
                return head
        raise ValueError("the head of the answer has no end")

    @override
    async def read_exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            data += await self._received(n - len(data), 0)
        return data

    async def _received(self, count: int, flags: int) -> bytes:
        while True:
            try:
                data = self._socket.recv(count, flags)
            except BlockingIOError:
                await self._ready(READABLE)
                continue
            if not data:
                raise ConnectionResetError
            return data

    async def _ready(self, events: int) -> None:
        descriptor = self._socket.fileno()
        ready: asyncio.Future[None] = self._readiness.loop.create_future()
        self._readiness.watch(descriptor, events, partial(_wake, ready))
        try:
            await ready
        finally:
            self._readiness.forget(descriptor)


def _wake(ready: asyncio.Future[None], _events: int) -> None:
    if not ready.done():
        ready.set_result(None)
