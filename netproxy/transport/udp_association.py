"""A SOCKS5 association: one client's datagrams to many destinations, each with a flow of its own.

It lives as long as the TCP connection that asked for it (RFC 1928 section 7). It takes datagrams
from one address and port only: the one that the client announced, else the first that speaks
SOCKS5 to it. Whatever is wrong is dropped: an answer would go to whoever was named as its source.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from netproxy.connection.overload import Overload, TokenBucket
from netproxy.connection.records import Stray
from netproxy.connection.targets import datagram_destination
from netproxy.errors import InvalidDestination
from netproxy.model import CloseReason, ConnectionId, Protocol, Request
from netproxy.protocol.socks5_udp import Dropped, read_datagram
from netproxy.transport.udp_flow import Flow
from otel.events import AssociationClosed
from otel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netproxy.config import Limits
    from netproxy.model import ApprovalId, Destination
    from netproxy.transport.services import Services
    from netproxy.transport.udp_ports import Address, Near, Port, Ports

_MILLISECONDS = 1000
# To look whose a socket is may take milliseconds on a busy host, and a stranger can send without
# end. Of a client the first look is enough.
_LOOKS_PER_SECOND = 10
# A flow ends at most so much of its time late.
_SWEEPS = 4


class Associations:
    """Those of one run, and what they may have together."""

    def __init__(self, ports: Ports, limits: Limits) -> None:
        self._ports = ports
        self._limits = limits
        self.count = 0
        self.flows = 0

    @property
    def is_full(self) -> bool:
        """Whether there may be no more of them."""
        return self.count >= self._limits.udp_associations_per_run

    @property
    def has_room(self) -> bool:
        """Whether there may be one more flow."""
        return self.flows < self._limits.udp_flows_per_run

    def open(
        self, services: Services, *, near: Near, client: Address, announced: int
    ) -> Association:
        """Make one for the client at the other end of a connection. Raises `OSError`.

        `near` is our end of it, `announced` the port that its datagrams come from, 0 if unknown.
        """
        association = Association(self, services, client, announced)
        association.port = self._ports.open(near, client, association.receive)
        self.count += 1
        return association

    def close(self) -> None:
        """Give back what they shared."""
        self._ports.close()


class Association:
    """One of them. `aclose` is due exactly once."""

    port: Port

    def __init__(
        self, together: Associations, services: Services, client: Address, announced: int
    ) -> None:
        self._together = together
        self._services = services
        self._loop = services.readiness.loop
        self._opened_at = self._loop.time()
        self._id = ConnectionId(new_id("c"))
        self._connected_from = client
        self._announced = announced
        self._source: Address | None = None  # the only one, once it said something
        self._looked_at: Address | None = None  # it is the client's
        self._looks = TokenBucket(_LOOKS_PER_SECOND, now=self._opened_at)
        self._flows: dict[Destination, Flow] = {}
        self._by_peer: dict[Address, Flow] = {}
        self._refused: dict[Destination, float] = {}  # until when, soonest first
        self._sweeper: asyncio.TimerHandle | None = None
        self._has_complained = False
        self._on_finished: Callable[[], None] | None = None  # from when it takes nothing new
        self._let_through = 0
        self._dropped = 0

    def receive(self, data: memoryview, source: Address) -> None:
        """Take one datagram that came to our port. The callback."""
        if not self._pass_on(data, source):
            self._dropped += 1

    @property
    def in_flight(self) -> int:
        """Bytes that its flows moved."""
        return sum(flow.in_flight for flow in self._flows.values())

    def carried(self) -> Iterator[tuple[ApprovalId | None, int]]:
        """By which approval bytes are in flight, and how many."""
        for flow in self._flows.values():
            yield from flow.carried()

    def judge_again(self) -> None:
        """Cut every flow that the policy in force no longer lets through."""
        for flow in tuple(self._flows.values()):
            flow.judge_again()

    def close_approved(self, approval_id: ApprovalId, reason: CloseReason) -> None:
        """Cut the flows that this approval carries: what it left is gone."""
        for flow in tuple(self._flows.values()):
            flow.close_approved(approval_id, reason)

    def retire(self, on_finished: Callable[[], None]) -> None:
        """Take no new flow; call `on_finished` as soon as there is none."""
        self._on_finished = on_finished
        if not self._flows:
            on_finished()

    async def aclose(self, reason: CloseReason) -> None:
        """Cut every flow and take no more; wait until nothing of it is left."""
        self.port.close()
        self._on_finished = None
        self._together.count -= 1
        flows = tuple(self._flows.values())
        tasks = [flow.task for flow in flows if flow.task is not None]
        for flow in flows:
            flow.cut(reason)
        if self._sweeper is not None:
            self._sweeper.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:  # what was held for them is lost by now
            self._record_end(reason)

    def _record_end(self, reason: CloseReason) -> None:
        self._services.note(
            AssociationClosed(
                connection_id=self._id,
                client_address=_text(self._source or self._connected_from),
                flows=self._let_through,
                dropped=self._dropped,
                duration_ms=round((self._loop.time() - self._opened_at) * _MILLISECONDS),
                close_reason=reason.value,
            )
        )

    def _pass_on(self, data: memoryview, source: Address) -> bool:
        if source != self._source and not self._may_be_first(source):
            return False
        datagram = read_datagram(data)
        if isinstance(datagram, Dropped):
            self._complain(datagram.value)
            return False
        self._source = source
        try:
            destination = self._services.meant(datagram_destination(datagram))
        except InvalidDestination as problem:
            host = datagram.host.decode("ascii", "backslashreplace")
            self._complain(str(problem), host=host)
            return False
        flow = self._flow(destination, source)
        return flow is not None and flow.send(datagram.data)

    def _may_be_first(self, source: Address) -> bool:
        """Whether the association may become this one's."""
        # RFC 1928 section 7: datagrams from any other address than the client's MUST be dropped.
        if self._source is not None or source[0] != self._connected_from[0]:
            return False
        if self._announced not in {0, source[1]}:
            return False
        if source != self._looked_at:
            if not self._looks.take(self._loop.time()) or not self.port.is_clients(source):
                return False
            self._looked_at = source
        return True

    def _flow(self, destination: Destination, source: Address) -> Flow | None:
        flow = self._flows.get(destination)
        if flow is None:
            # Our answers name their sender's address, and clients go on with that. It is the one
            # that was checked for this flow, so nothing is reached that was not allowed.
            flow = self._by_peer.get((destination.host, destination.port))
        if flow is not None or self._on_finished is not None or self._was_refused(destination):
            return flow
        request = Request(
            destination=destination,
            method="none",
            connection_id=ConnectionId(new_id("c")),
            client_address=_text(source),
        )
        limit = self._services.limits.udp_peers_per_association
        if len(self._flows) >= limit or not self._together.has_room:
            self._services.refusals.add(Overload.FLOWS, request.client_address)
            return None
        flow = Flow(
            self._services,
            request,
            deliver=self._deliver,
            on_lost=self._lost,
            on_opened=self._opened,
            on_closed=self._closed,
        )
        self._flows[destination] = flow
        self._together.flows += 1
        flow.start()
        if self._sweeper is None:
            self._sweep()
        return self._flows.get(destination)

    def _deliver(self, data: bytes) -> bool:
        if self._source is not None and self.port.send(data, self._source):
            return True
        self._dropped += 1
        return False

    def _lost(self, count: int) -> None:
        self._dropped += count

    def _opened(self, flow: Flow) -> None:
        self._let_through += 1
        if flow.peer is not None:
            self._by_peer.setdefault(flow.peer, flow)

    def _closed(self, flow: Flow) -> None:
        destination = flow.request.destination
        del self._flows[destination]
        self._together.flows -= 1
        if flow.peer is None:
            self._refuse(destination)
        elif self._by_peer.get(flow.peer) is flow:
            self._hand_over(flow.peer)
        if self._on_finished is not None and not self._flows:
            self._on_finished()

    def _hand_over(self, peer: Address) -> None:
        """Answers of this peer may have come by another name, too, whose flow goes on."""
        others = (each for each in self._flows.values() if each.peer == peer)
        if (heir := next(others, None)) is None:
            del self._by_peer[peer]
        else:
            self._by_peer[peer] = heir

    def _was_refused(self, destination: Destination) -> bool:
        """Whether it was, of late; with too many of those, everything new counts as one."""
        now = self._loop.time()
        while self._refused and (first := next(iter(self._refused.items())))[1] <= now:
            del self._refused[first[0]]
        is_full = len(self._refused) >= self._services.limits.udp_peers_per_association
        return is_full or destination in self._refused

    def _refuse(self, destination: Destination) -> None:
        until = self._loop.time() + self._services.limits.udp_refusal_seconds
        self._refused[destination] = until

    def _sweep(self) -> None:
        """End the flows whose time is over."""
        limits = self._services.limits
        now = self._loop.time()
        for flow in tuple(self._flows.values()):
            if flow.opened_at is None:
                continue  # being decided, which has a limit of its own
            if now - flow.last_sent_at >= limits.udp_idle_seconds:
                flow.cut(CloseReason.IDLE)
            elif now - flow.opened_at >= limits.udp_lifetime_seconds:
                flow.cut(CloseReason.LIFETIME)
        self._sweeper = None
        if self._flows:
            soonest = min(limits.udp_idle_seconds, limits.udp_lifetime_seconds)
            self._sweeper = self._loop.call_later(soonest / _SWEEPS, self._sweep)

    def _complain(self, message: str, *, host: str = "unknown") -> None:
        """Record the first stray only: whoever sends one can send any number."""
        if self._has_complained:
            return
        self._has_complained = True
        stray = Stray(
            connection_id=self._id,
            client_address=_text(self._source or self._connected_from),
            protocol=Protocol.SOCKS5_UDP,
            host=host,
        )
        self._services.gate.refuse_malformed(stray, message)


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
