"""A client that speaks no proxy protocol: where it goes is known as soon as it is accepted.

So are captured connections, and those of a listener that leads to one place. Nothing waits for the
client's first bytes: with ssh, SMTP or a database the server speaks first. There is no answer to
give either: whoever is refused, or can't be connected, is reset, as by a host where nobody listens.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, override

from netproxy.connection.records import Stray
from netproxy.errors import InvalidDestination
from netproxy.model import CloseReason, ConnectionId, Protocol, Request
from netproxy.transport.driver import Connection
from netproxy.transport.first_bytes import FirstBytes
from netproxy.transport.stream import abort
from netproxy.transport.upstream import Upstream
from otel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.connection.overload import Overload
    from netproxy.model import Decision, Destination
    from netproxy.protocol.host_field import Asked
    from netproxy.transport.door import Door
    from netproxy.transport.services import Services
    from netproxy.transport.sockets import Socket
    from netproxy.transport.stream import Stream

    # Says where an accepted client wants to go. Raises `InvalidDestination` or `OSError` where that
    # is nowhere.
    type Find = Callable[[Socket], Destination]

# include/net/tcp_states.h: the client has said that it sends nothing more. After a reset it is
# another (TCP_CLOSE). The state is the first byte of tcp_info.
_CLOSE_WAIT: Final = 8


class KnownConnection(Connection):
    """Decides at once, and is a tunnel without a greeting."""

    __slots__ = ("_find",)

    def __init__(  # noqa: PLR0913 those of a connection, and where it goes
        self,
        services: Services,
        client: Stream,
        client_address: str,
        *,
        overload: Overload | None,
        on_closed: Callable[[Connection], None],
        door: Door | None = None,
        find: Find,
    ) -> None:
        super().__init__(
            services, client, client_address, overload=overload, on_closed=on_closed, door=door
        )
        self._find = find

    @override
    def start(self) -> None:
        try:
            self._begin()
        except Exception as problem:  # noqa: BLE001 root of a callback: this connection only, and shut
            self._failed_inside(problem)
            self._awaits_record = False
            self._set_up()

    @override
    async def _serve(self) -> None:
        raise AssertionError("it asks for nothing: what was decided says how it goes on")

    def _begin(self) -> None:
        try:
            destination = self._find(self._client.socket)
        except InvalidDestination as problem:
            self._stray(str(problem))
            return
        except OSError as problem:
            self._stray(f"nobody knows where it was going: {problem.strerror}")
            return
        # By position: half the time.
        request = Request(destination, "none", ConnectionId(new_id("c")), self._client_address)
        if not self._admit_now(request, lambda said: self._go_on(self._follow(request, said))):
            self._go_on(self._ask(request))

    def _stray(self, message: str) -> None:
        stray = Stray(
            connection_id=ConnectionId(new_id("c")),
            client_address=self._client_address,
            protocol=Protocol.TCP,
        )
        self._record_stray(stray, message)
        self._set_up()

    async def _ask(self, request: Request) -> None:
        await self._follow(request, await self._admitted(request))

    async def _follow(self, request: Request, decision: Decision) -> None:
        """Do what was decided."""
        if decision.allowed and isinstance(found := await self._reach(request), Upstream):
            await self._tunnel(found, b"")

    @override
    def _first_bytes(self) -> FirstBytes:
        """No proxy saw a request: one in plain text shows which host it is for."""
        return FirstBytes(self._services, self._may_say, self._may_ask)

    def _may_ask(self, asked: Asked) -> bool:
        if self._upstream is None:
            raise AssertionError("only a tunnel has first bytes")
        request, refuse = self._upstream.request, self._services.gate.refuse_asked
        return self._goes_on(lambda: refuse(request, asked), CloseReason.HOST_MISMATCH)

    @override
    def _left(self) -> None:
        """A client that has said all it has to say may still want to hear the answer."""
        if not (self._client.unread and _is_half_closed(self._client.socket)):
            super()._left()

    @override
    def _set_up(self) -> None:
        if self._upstream is None:
            abort(self._client.socket)
        super()._set_up()


def _is_half_closed(sock: Socket) -> bool:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSE_WAIT
