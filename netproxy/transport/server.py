"""Accepts the clients of one run and owns their connections. Made inside a running loop.

Who a client is follows from the listener it came to; what it may do is the gate's business.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from netproxy.connection.known_requests import KnownRequests
from netproxy.connection.overload import Overload
from netproxy.model import CloseReason
from netproxy.protocol.known_heads import KnownHeads
from netproxy.transport.allowance import Allowance
from netproxy.transport.capacity import Capacity, Crowd
from netproxy.transport.deadline import Deadline
from netproxy.transport.http_driver import HttpConnection
from netproxy.transport.known_driver import KnownConnection
from netproxy.transport.linked_driver import LinkedConnection
from netproxy.transport.metering import Meter
from netproxy.transport.mixed_driver import MixedConnection, driver_for
from netproxy.transport.pipes import PipePool
from netproxy.transport.pool import Pool
from netproxy.transport.readiness import READABLE, Readiness
from netproxy.transport.refusals import Refusals
from netproxy.transport.relay import Means
from netproxy.transport.services import Services, Vetter
from netproxy.transport.sockets import EXHAUSTED, EXHAUSTED_SECONDS, accept
from netproxy.transport.socks_driver import SocksConnection
from netproxy.transport.stream import Stream
from netproxy.transport.sweep import Sweep
from netproxy.transport.udp_association import Associations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.config import Limits
    from netproxy.connection.fake_names import FakeNames
    from netproxy.connection.gate import Gate
    from netproxy.model import ApprovalId
    from netproxy.ports import AuditSink, Dialer, Ledger, Resolver
    from netproxy.transport.door import Door
    from netproxy.transport.driver import Connection
    from netproxy.transport.known_driver import Find
    from netproxy.transport.linked_driver import Link
    from netproxy.transport.udp_ports import Ports
    from netproxy.transport.ways import Ways
    from otel.events import Event

# So many clients are taken at a time; then those that are connected have their turn.
_ACCEPTS = 32
# So many tunnels are judged again at a time after a change of the policy.
_JUDGED = 64
# With both protocols the client speaks first, so the kernel may wait for its first bytes (up to
# this time) before it wakes us: one wake-up for each connection instead of two.
_DEFER_SECONDS = 1


class ListenerKind(Enum):
    """What clients of a listener speak."""

    HTTP = HttpConnection
    SOCKS5 = SocksConnection
    MIXED = MixedConnection  # either: the first byte says which


class _Listener(NamedTuple):
    driver: Callable[..., Connection]
    door: Door | None
    family: int


class ProxyServer:
    """The data plane of one run."""

    _listeners: dict[socket.socket, _Listener]
    _paused: set[socket.socket]
    _to_judge: list[Connection]
    _left: asyncio.Future[None] | None

    def __init__(  # noqa: PLR0913 the collaborators of every connection
        self,
        *,
        gate: Gate,
        policy: Vetter,
        resolver: Resolver,
        dialer: Dialer,
        audit: AuditSink,
        limits: Limits,
        readiness: Readiness,
        report: Callable[[str], None],
        ways: Ways | None = None,
        crowd: Crowd | None = None,
        ports: Ports | None = None,
        ledger: Ledger | None = None,
        names: FakeNames | None = None,
    ) -> None:
        """`ways` are the routes out of here; without them everything leaves directly.

        The servers of one process share a `crowd`. Without `ports` for them, datagrams are not
        served. The `ledger` knows what answers of reviewers are still good for. `names` are those
        behind addresses that clients were given here.
        """
        self.connections: dict[Connection, None] = {}  # in the order in which they came
        self._limits, self._readiness = limits, readiness
        self._crowd = crowd or Crowd()
        self._capacity = Capacity(limits, self._crowd, now=readiness.loop.time())
        self._turned_away = 0
        pseudonym = f"netproxy-{os.urandom(4).hex()}"
        self._services = Services(
            gate=gate,
            policy=policy,
            resolver=resolver,
            dialer=dialer,
            audit=audit,
            limits=limits,
            readiness=readiness,
            report=report,
            ways=ways,
            pseudonym=pseudonym,
            refusals=Refusals(readiness.loop, self.note),
            allowance=self._allowance(),
            meter=self._meter(ledger),
            associations=None if ports is None else Associations(ports, limits),
            relays=_means(readiness, limits),
            pool=Pool(readiness.loop, limits, last_descriptor=self._capacity.last_descriptor),
            known_heads=KnownHeads(limits),
            handshakes=Deadline(readiness.loop, limits.head_seconds),
            lingering=Deadline(readiness.loop, limits.linger_seconds),
            known_requests=KnownRequests(limits, pseudonym),
            names=names,
        )
        self._listeners, self._paused, self._to_judge, self._left = {}, set(), [], None
        self._sweep = Sweep(readiness.loop, self.connections, limit_seconds=_shortest(limits))

    def serve(
        self, listener: socket.socket, kind: ListenerKind, *, door: Door | None = None
    ) -> None:
        """Accept clients of a listening socket from now on. The server owns it.

        Behind a `door` they stay this run's until they showed whose they are.
        """
        with suppress(OSError):  # only TCP has it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_SECONDS)
        self._take(listener, kind.value, door)

    def serve_known(self, listener: socket.socket, find: Find) -> None:
        """Accept clients that speak no proxy protocol; `find` says where each of them goes."""
        self._take(listener, partial(KnownConnection, find=find), None)

    def serve_link(self, listener: socket.socket, link: Link) -> None:
        """Lead every client of a listening socket to one place, which nobody has to judge."""
        self._take(listener, partial(LinkedConnection, link=link), None)

    def lead(self, client: socket.socket, link: Link) -> None:
        """Take over a client that came by no listener. The server owns its socket."""
        stream = Stream(client, self._readiness, limit=self._limits.relay_bytes)
        self._begin(partial(LinkedConnection, link=link), stream, None, None)

    def hung_up_on(self, client_address: str) -> None:
        """Count a client that a listener kept out: another user's program."""
        self._services.refusals.add(Overload.STRANGER, client_address)

    def _take(
        self, listener: socket.socket, driver: Callable[..., Connection], door: Door | None
    ) -> None:
        listener.setblocking(False)
        with suppress(OSError):  # only TCP has it; accepted sockets inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listeners[listener] = _Listener(driver, door, int(listener.family))
        self._watch(listener)

    def close_all(self, reason: CloseReason) -> None:
        """Cut every connection at once."""
        self._services.pool.clear()
        for connection in tuple(self.connections):
            connection.cut(reason)

    def close_approved(
        self, approval_id: ApprovalId, reason: CloseReason = CloseReason.REVOKED
    ) -> None:
        """Cut the connections that an approval carries: what it left is gone."""
        self._services.pool.close_approved(approval_id)
        for connection in tuple(self.connections):
            connection.close_approved(approval_id, reason)

    def judge_again(self) -> None:
        """Cut what the policy in force no longer lets through: it has changed.

        What is on its way comes first and at once, so that nothing is dialled, and no answer
        counts, that this policy refuses. Tunnels follow in slices, so that others are served too.
        """
        self._services.pool.clear()
        is_judging = bool(self._to_judge)
        self._to_judge = [each for each in self.connections if not each.is_under_way]
        for connection in tuple(self.connections):
            if connection.is_under_way:
                connection.judge_again()
        if not is_judging:
            self._judge_some()

    def _judge_some(self) -> None:
        some, self._to_judge = self._to_judge[:_JUDGED], self._to_judge[_JUDGED:]
        for connection in some:
            connection.judge_again()
        if self._to_judge:
            self._readiness.loop.call_soon(self._judge_some)

    def stop_accepting(self) -> None:
        """Close the listeners: whoever comes now learns at once that nobody is here."""
        for listener in self._listeners:
            self._readiness.drop(listener.fileno())
            listener.close()
        self._listeners.clear()
        self._paused.clear()

    def retire(self) -> None:
        """Let those who are in finish what they began, and serve them nothing more."""
        self._services.pool.close()
        for connection in tuple(self.connections):
            connection.retire()

    async def emptied(self) -> None:
        """Wait until the last of them has left. Without a limit of its own."""
        while self.connections:
            self._left = self._readiness.loop.create_future()
            await self._left

    async def aclose(self, reason: CloseReason = CloseReason.RUN_ENDED) -> None:
        """Stop accepting, cut what is left, and wait until nothing of it is."""
        self.stop_accepting()
        tasks = [connection.task for connection in self.connections]
        self._services.pool.close()
        self.close_all(reason)
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        if self._services.associations is not None:
            self._services.associations.close()
        self._sweep.stop()
        self._services.handshakes.close()
        self._services.lingering.close()
        self._services.refusals.flush()
        self._services.allowance.close()
        self._services.meter.close()
        self._services.relays.pipes.close()

    def _watch(self, listener: socket.socket) -> None:
        def ready(_events: int) -> None:
            self._accept(listener)

        self._readiness.watch(listener.fileno(), READABLE, ready)

    def _accept(self, listener: socket.socket) -> None:
        driver, door, family = self._listeners[listener]
        for _ in range(_ACCEPTS):
            if self._capacity.is_exhausted(len(self.connections), self._turned_away):
                self._pause(listener)
                return
            try:
                accepted, address = accept(listener, family)
            except BlockingIOError:
                return
            except OSError as problem:
                if problem.errno in EXHAUSTED:
                    self._pause(listener)
                    self._readiness.loop.call_later(EXHAUSTED_SECONDS, self._resume)
                    return
                continue  # accept(2) reports errors of the client's connection, too
            stream = Stream(accepted, self._readiness, limit=self._limits.relay_bytes)
            is_mixed = driver is MixedConnection
            self._begin(driver_for(stream) if is_mixed else driver, stream, address, door)

    def _begin(
        self, driver: Callable[..., Connection], stream: Stream, address: object, door: Door | None
    ) -> None:
        if door is not None and len(self.connections) >= self._capacity.outside:
            # They all have shown nothing yet, and whoever has something to show does so at once.
            self._make_room()
        connection = driver(
            self._services,
            stream,
            _text(address),
            overload=self._overload(stream.descriptor, is_outside=door is not None),
            on_closed=self._closed,
            door=door,
        )
        self._add(connection)
        connection.start()

    def _make_room(self) -> None:
        oldest = next(iter(self.connections))
        oldest.cut(CloseReason.RESET)  # with a task it is gone when that had its turn
        if oldest in self.connections:
            self.connections[oldest] = self.connections.pop(oldest)

    def take_over(self, connection: Connection) -> None:
        """Fills `netproxy.transport.door.Hosting`."""
        overload = self._overload(0, is_outside=False)
        connection.join(self._services, overload=overload, on_closed=self._closed)
        self._add(connection)

    def _add(self, connection: Connection) -> None:
        self.connections[connection] = None
        self._sweep.wake()
        self._count(connection, 1)

    def _closed(self, connection: Connection) -> None:
        del self.connections[connection]
        self._count(connection, -1)
        if self._left is not None and not self._left.done():
            self._left.set_result(None)
        if self._paused:
            self._resume()

    def _count(self, connection: Connection, more: int) -> None:
        self._crowd.count += more
        if connection.is_turned_away:
            self._turned_away += more
            self._crowd.turned_away += more

    def _allowance(self) -> Allowance:
        return Allowance(
            self._limits.bytes_per_run,
            self._readiness.loop,
            in_flight=self._in_flight,
            on_spent=self._spent,
        )

    def _in_flight(self) -> int:
        return sum(connection.in_flight for connection in self.connections)

    def _spent(self) -> None:
        """Cut what moves bytes; who asks for something is told why not."""
        for connection in tuple(self.connections):
            if connection.in_flight:
                connection.cut(CloseReason.BYTE_LIMIT)

    def _meter(self, ledger: Ledger | None) -> Meter:
        return Meter(ledger, self._readiness.loop, in_flight=self._carried)

    def _carried(self) -> Iterator[tuple[ApprovalId | None, int]]:
        for connection in self.connections:
            yield from connection.carried()

    def note(self, event: Event) -> None:
        """Record what has happened already, beside its connections."""
        self._services.note(event)

    def _overload(self, descriptor: int, *, is_outside: bool) -> Overload | None:
        """Which limit the next connection is over; whoever is outside makes room for others."""
        # Who is only told no leaves soon, and must keep nobody else out until then.
        here = 0 if is_outside else len(self.connections) - self._turned_away
        return self._capacity.excess(here, descriptor, now=self._readiness.loop.time())

    def _pause(self, listener: socket.socket) -> None:
        self._readiness.forget(listener.fileno())
        self._paused.add(listener)

    def _resume(self) -> None:
        while self._paused:
            self._watch(self._paused.pop())


def _shortest(limits: Limits) -> float:
    """Of the limits that `Connection.expire` keeps."""
    return min(limits.idle_seconds, limits.lifetime_seconds, limits.keep_alive_seconds)


def _means(readiness: Readiness, limits: Limits) -> Means:
    return Means(
        readiness=readiness,
        buffer=memoryview(bytearray(limits.relay_bytes)),
        pipes=PipePool(count=limits.pipes, size=limits.pipe_bytes),
        splice_after=limits.splice_after_bytes,
        tunnel_bytes=limits.tunnel_bytes,
    )


def _text(address: object) -> str:
    if not isinstance(address, tuple):
        return "unknown"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
