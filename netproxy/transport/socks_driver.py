"""A client that speaks SOCKS5: handshake, decision, tunnel."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, override

from netproxy.connection import answers
from netproxy.connection.gate import Stray
from netproxy.connection.overload import Overload
from netproxy.connection.targets import socks_destination
from netproxy.errors import (
    DestinationUnreachable,
    InvalidDestination,
    SocksProtocolError,
    SocksReply,
)
from netproxy.model import CloseReason, ConnectionId, Protocol, Request
from netproxy.protocol.socks5 import (
    SECRET_REFUSED,
    SECRET_TAKEN,
    Command,
    Greeted,
    Handshake,
    SecretShown,
    SocksRequest,
    reply,
)
from netproxy.transport.driver import Connection
from netproxy.transport.upstream import Upstream
from otel.ids import new_id

if TYPE_CHECKING:
    from netproxy.model import ApprovalId
    from netproxy.transport.sockets import Socket
    from netproxy.transport.udp_association import Association

# A client that can't say where its datagrams will come from sends zeros (RFC 1928 section 4); one
# that names another host is behind an address translator, and does not know its port either.
_ANY = (b"0.0.0.0", b"::")


class SocksConnection(Connection):
    """Serves one request (RFC 1928)."""

    __slots__ = ("_association",)

    _association: Association | None

    @override
    def start(self) -> None:
        self._association = None
        super().start()

    @override
    async def _serve(self) -> None:
        try:
            asked = await self._handshake()
        except SocksProtocolError as problem:
            await self._malformed(problem)
            return
        if asked is None:
            return
        match asked.command:
            case Command.CONNECT:
                await self._handle(asked)
            case Command.UDP_ASSOCIATE:
                await self._associate(asked)

    @property
    @override
    def in_flight(self) -> int:
        association = self._association
        return super().in_flight if association is None else association.in_flight

    @override
    def judge_again(self) -> None:
        super().judge_again()
        if self._association is not None:
            self._association.judge_again()

    @override
    def close_approved(self, approval_id: ApprovalId) -> None:
        super().close_approved(approval_id)
        if self._association is not None:
            self._association.close_approved(approval_id)

    async def _handshake(self) -> SocksRequest | None:
        """Read all up to the request; None when the client left. Whoever stalls is hung up on."""
        handshake = Handshake(asks_secret=self._door is not None)
        data = self._client.receive_now()
        if data:
            event = await self._step(handshake, data)
            if event is not None:
                return event
        elif data is not None:
            return None
        # Not asyncio.timeout: it costs more than all that is read here.
        timer = self._services.readiness.loop.call_later(self._head_seconds, self._left)
        try:
            while data := await self._client.receive(looks_first=False):
                event = await self._step(handshake, data)
                if event is not None:
                    return event
        finally:
            timer.cancel()
        return None

    async def _step(self, handshake: Handshake, data: bytes) -> SocksRequest | None:
        event = handshake.receive(data)
        if isinstance(event, Greeted):
            await self._client.send(event.answer)
            event = handshake.receive(b"")
        if isinstance(event, SecretShown):
            self._check(event)
            handshake.admit()
            await self._client.send(SECRET_TAKEN)
            event = handshake.receive(b"")
        if isinstance(event, SocksRequest):
            self._client.unread = handshake.unread
            return event
        return None

    def _check(self, shown: SecretShown) -> None:
        """RFC 1929: whoever shows a wrong secret is told so, and hung up on."""
        if not self._is_let_in(shown.secret):
            raise SocksProtocolError("the secret is not one of ours", answer=SECRET_REFUSED)

    async def _handle(self, asked: SocksRequest) -> None:
        connection_id = ConnectionId(new_id("c"))
        try:
            destination = socks_destination(asked)
        except InvalidDestination as problem:
            self._stray(str(problem), host=asked.host.decode("ascii", "backslashreplace"))
            await self._farewell(reply(SocksReply.GENERAL_FAILURE))
            return
        request = Request(
            destination=destination,
            method="none",
            connection_id=connection_id,
            client_address=self._client_address,
        )
        decision = await self._admitted(request)
        if not decision.allowed:
            await self._farewell(reply(answers.socks_reply(decision)))
            return
        match await self._reach(request):
            case Upstream() as upstream:
                await self._tunnel(upstream, _succeeded(upstream.socket))
            case DestinationUnreachable() as unreachable:
                await self._farewell(reply(answers.socks_reply(unreachable.failure)))
            case refused:
                await self._farewell(reply(answers.socks_reply(refused)))

    async def _associate(self, asked: SocksRequest) -> None:
        """Serve datagrams for as long as the client stays connected."""
        try:
            association = self._new_association(asked)
        except SocksProtocolError as refused:
            await self._farewell(refused.answer)
            return
        self._association = association
        address, port = association.port.address
        try:
            await self._client.send(reply(SocksReply.SUCCEEDED, address=address, port=port))
            while await self._client.receive():
                pass  # there is nothing to say on this connection any more
        finally:
            self._association = None
            await association.aclose(self._cut_for or CloseReason.FINISHED)

    def _new_association(self, asked: SocksRequest) -> Association:
        """Raises `SocksProtocolError` with the answer; that it was refused is on record."""
        together = self._services.associations
        if together is None:
            self._stray("nothing here takes datagrams", protocol=Protocol.SOCKS5_UDP)
            answer = reply(SocksReply.COMMAND_NOT_SUPPORTED)
            raise SocksProtocolError("no UDP here", answer=answer)
        overload = Overload.ASSOCIATIONS if together.is_full else self._overload
        if overload is not None:
            decision = self._turned_away(overload, self._client_address)
            raise SocksProtocolError(decision.message, answer=reply(answers.socks_reply(decision)))
        sock = self._client.socket
        try:
            client, near = sock.getpeername()[:2], sock.getsockname()[:2]
            # Where nobody else would notice that the client is gone.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            announced = asked.port if asked.host in {client[0].encode(), *_ANY} else 0
            return together.open(self._services, near=near, client=client, announced=announced)
        except OSError as failed:
            answer = reply(SocksReply.GENERAL_FAILURE)
            raise SocksProtocolError(str(failed), answer=answer) from failed

    async def _malformed(self, problem: SocksProtocolError) -> None:
        self._stray(str(problem))
        if problem.answer:
            await self._farewell(problem.answer)

    def _stray(
        self, message: str, *, host: str = "unknown", protocol: Protocol = Protocol.SOCKS5_TCP
    ) -> None:
        stray = Stray(
            connection_id=ConnectionId(new_id("c")),
            client_address=self._client_address,
            protocol=protocol,
            host=host,
        )
        self._record_stray(stray, message)


def _succeeded(connected: Socket) -> bytes:
    address, port = connected.getsockname()[:2]
    return reply(SocksReply.SUCCEEDED, address=address, port=port)
