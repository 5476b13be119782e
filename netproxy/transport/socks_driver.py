"""A client that speaks SOCKS5: handshake, decision, tunnel."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, override

from netproxy.connection import answers
from netproxy.connection.overload import Overload
from netproxy.connection.records import Stray
from netproxy.connection.targets import socks_destination
from netproxy.errors import (
    DestinationUnreachable,
    InvalidDestination,
    SocksProtocolError,
    SocksReply,
)
from netproxy.model import CloseReason, ConnectionId, Protocol, Request
from netproxy.protocol.socks5 import (
    METHOD_CHOSEN,
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
    from collections.abc import Iterable

    from netproxy.model import ApprovalId, Decision
    from netproxy.transport.deadline import Deadline
    from netproxy.transport.sockets import Socket
    from netproxy.transport.udp_association import Association

# A client that can't say where its datagrams will come from sends zeros (RFC 1928 section 4); one
# that names another host is behind an address translator, and does not know its port either.
_ANY = (b"0.0.0.0", b"::")


class SocksConnection(Connection):
    """Serves one request (RFC 1928)."""

    __slots__ = ("_association", "_deadline", "_handshake")

    _association: Association | None
    _handshake: Handshake | None  # while it is not over: without a task
    _deadline: Deadline  # of the handshake

    @override
    def start(self) -> None:
        """Read all up to the request by callbacks. Whoever stalls is hung up on."""
        self._association = None
        self._handshake = Handshake(asks_secret=self._door is not None)
        self._deadline = self._handshakes
        self._deadline.begin(self._client, self._hang_up)
        self._is_idle = True  # up to its request
        self._hear()

    @override
    def cut(self, reason: CloseReason) -> None:
        if self._handshake is None:
            super().cut(reason)
        else:
            self._cut_for = reason
            self._hang_up()

    @override
    async def _serve(self) -> None:
        raise AssertionError("what it asks for says how it is served")

    @property
    @override
    def in_flight(self) -> int:
        association = self._association
        return super().in_flight if association is None else association.in_flight

    @override
    def carried(self) -> Iterable[tuple[ApprovalId | None, int]]:
        association = self._association
        return super().carried() if association is None else association.carried()

    @override
    def judge_again(self) -> None:
        super().judge_again()
        if self._association is not None:
            self._association.judge_again()

    @override
    def close_approved(self, approval_id: ApprovalId, reason: CloseReason) -> None:
        super().close_approved(approval_id, reason)
        if self._association is not None:
            self._association.close_approved(approval_id, reason)

    @override
    def retire(self) -> None:
        super().retire()
        if self._association is not None:
            self._association.retire(self._finished)

    def _finished(self) -> None:
        self.cut(CloseReason.FINISHED)

    def _hear(self) -> None:
        """Take what came; a task goes on when that is all. The callback."""
        handshake = self._handshake
        if handshake is None:
            raise AssertionError("nothing is heard after the request")
        try:
            data = self._client.receive_now()
            asked = self._step(handshake, data) if data else None
            if asked is not None:
                self._done()
                self._answer(asked)
            elif data == b"":
                self._hang_up()
            else:
                self._client.rest(self._hear)
        except OSError:
            self._hang_up()
        except SocksProtocolError as problem:
            self._done()
            self._go_on(self._malformed(problem))
        except Exception as problem:  # noqa: BLE001 root of a callback: this connection only, and shut
            self._failed_inside(problem)
            self._hang_up()

    def _done(self) -> None:
        self._deadline.end(self._client)
        self._handshake = None
        self._is_idle = False

    def _hang_up(self) -> None:
        """It is late, cut or gone, and has asked for nothing yet."""
        self._done()
        self._awaits_record = False
        self._set_up()

    def _step(self, handshake: Handshake, data: bytes) -> SocksRequest | None:
        """Answer as far as it got. Raises `SocksProtocolError` and `OSError`."""
        event = handshake.receive(data)
        while not isinstance(event, SocksRequest):
            if isinstance(event, Greeted):
                if event.answer == METHOD_CHOSEN and not handshake.has_more:
                    self._services.readiness.at_end(self._greet)
                    return None
                self._say(event.answer)
            elif isinstance(event, SecretShown):
                self._check(event)
                handshake.admit()
                self._say(SECRET_TAKEN)
            else:
                return None
            if not handshake.has_more:
                return None
            event = handshake.receive(b"")
        self._client.unread = handshake.unread
        return event

    def _greet(self) -> None:
        """Name the method to a client that waits for it, unless it was hung up on meanwhile."""
        if self._handshake is None:
            return
        try:
            self._say(METHOD_CHOSEN)
        except OSError:
            self._hang_up()

    def _say(self, answer: bytes) -> None:
        """Two bytes, and nothing was sent before: there is always room for them."""
        if self._client.send_now(answer):
            raise BrokenPipeError("a client that takes no two bytes")

    def _check(self, shown: SecretShown) -> None:
        """RFC 1929: whoever shows a wrong secret is told so, and hung up on."""
        if not self._is_let_in(shown.secret):
            raise SocksProtocolError("the secret is not one of ours", answer=SECRET_REFUSED)

    def _answer(self, asked: SocksRequest) -> None:
        if asked.command is Command.UDP_ASSOCIATE:
            self._go_on(self._associate(asked))
            return
        try:
            destination = self._services.meant(socks_destination(asked))
        except InvalidDestination as problem:
            self._stray(str(problem), host=asked.host.decode("ascii", "backslashreplace"))
            self._go_on(self._farewell(reply(SocksReply.GENERAL_FAILURE)))
            return
        # By position: half the time.
        request = Request(destination, "none", ConnectionId(new_id("c")), self._client_address)
        if not self._admit_now(request, lambda said: self._go_on(self._follow(request, said))):
            self._go_on(self._ask(request))

    async def _ask(self, request: Request) -> None:
        await self._follow(request, await self._admitted(request))

    async def _follow(self, request: Request, decision: Decision) -> None:
        """Do what was decided."""
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
            if self._is_retiring:  # it was asked for before
                association.retire(self._finished)
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
            client, near = sock.getpeername()[:2], sock.getsockname()
            # Where nobody else would notice that the client is gone.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            announced = asked.port if asked.host in {client[0].encode(), *_ANY} else 0
            return together.open(self._services, near=near, client=client, announced=announced)
        except OSError as failed:
            self._stray(f"no port for datagrams: {failed}", protocol=Protocol.SOCKS5_UDP)
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
