"""A client that speaks HTTP: CONNECT becomes a tunnel, plain requests are forwarded one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, override

from netproxy.connection import answers
from netproxy.connection.authorization import shown_secret
from netproxy.connection.overload import Overload
from netproxy.connection.records import Stray
from netproxy.connection.targets import http_destination
from netproxy.errors import ClientProtocolError, DestinationUnreachable, InvalidDestination
from netproxy.model import (
    ConnectionId,
    Decision,
    Destination,
    Protocol,
    Request,
)
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import NO_BODY, Length
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import refuse_unforwardable
from netproxy.transport.express import ExpressConnection
from netproxy.transport.forward import Exchange
from netproxy.transport.stream import Stream
from netproxy.transport.upstream import Upstream
from otel.ids import new_id
from otel.values import replace

if TYPE_CHECKING:
    from netproxy.errors import Failure
    from netproxy.transport.express import Begun, Served
    from netproxy.transport.pool import Lane


# What is judged and recorded of a GET that asks for a WebSocket: it may write, as no GET may.
UPGRADE = "UPGRADE"
# RFC 9110 section 15.5.14.
_CONTENT_TOO_LARGE = 413


class HttpConnection(ExpressConnection):
    """Serves requests in order, each decided on its own."""

    __slots__ = ()

    @override
    async def _serve(self, rest: Served | None = None) -> None:
        try:
            while await (rest or self._serve_one()):
                rest, self._is_first = None, False
                is_more = bool(self._client.unread)
                if is_more:
                    await asyncio.sleep(0)  # who pipelines without an end is one of many clients
                if self._is_retiring:
                    await self._part()
                    return
                if not is_more:
                    self._may_rest = True
                    return
        except ClientProtocolError as problem:
            await self._malformed(problem)

    async def _serve_one(self) -> bool:
        head = await self._next_head(is_first=self._is_first)
        if head is None:
            return False
        if self._door is None or self._is_let_in(shown_secret(head.fields)):
            return await self._handle(head)
        return await self._unauthenticated(head)

    async def _next_head(self, *, is_first: bool) -> RequestHead | None:
        """Read one head within its time; None when the client wants nothing more."""
        data = self._client.receive_now()
        if data and (known := self._services.known_heads.read(data)) is not None:
            return known
        reader = RequestReader(self._services.limits)
        if data is not None:
            head = reader.receive(data) if data else None
            if not isinstance(head, NeedData):
                self._client.unread = reader.unread
                return head
        return await self._awaited_head(reader, is_first=is_first)

    async def _awaited_head(self, reader: RequestReader, *, is_first: bool) -> RequestHead | None:
        limits = self._services.limits
        is_between = not is_first and reader.is_empty
        self._is_idle = reader.is_empty
        try:
            if is_between:
                async with asyncio.timeout(limits.keep_alive_seconds):
                    data = await self._client.receive(looks_first=False)
                self._is_idle = is_between = False
                head = reader.receive(data) if data else None
                if not isinstance(head, NeedData):
                    self._client.unread = reader.unread
                    return head
            began = self.accepted_at if is_first else self._services.readiness.loop.time()
            async with asyncio.timeout_at(began + self._head_seconds):
                while data := await self._client.receive():
                    self._is_idle = False
                    head = reader.receive(data)
                    if not isinstance(head, NeedData):
                        self._client.unread = reader.unread
                        return head
        except TimeoutError:
            # Whoever connected beforehand has asked for nothing; over a limit that is counted, too.
            if is_between or (reader.is_empty and self._overload is None):
                return None
            seconds = self._head_seconds
            raise ClientProtocolError(f"no request within {seconds:g} s", status=408) from None
        finally:
            self._is_idle = False
        return None

    async def _handle(self, head: RequestHead) -> bool:
        """Decide and act; True when the connection can carry another request."""
        connection_id = ConnectionId(new_id("c"))
        try:
            destination = self._services.meant(http_destination(head))
        except InvalidDestination as problem:
            await self._invalid(head, connection_id, problem)
            return False
        try:
            if not head.is_connect:
                refuse_unforwardable(head, self._services.pseudonym)
        except ClientProtocolError as problem:
            await self._malformed(problem, host=head.authority)
            return False
        request = Request(
            destination=destination,
            method=UPGRADE if head.wants_websocket else head.method,
            connection_id=connection_id,
            client_address=self._client_address,
        )
        decision = self._too_large(head) or await self._admitted(request)
        if not decision.allowed:
            return await self._refuse(head, request, decision)
        if head.is_connect:
            return await self._connect(head, request)
        # An origin that does not read content takes it for the next request (CL.0): whatever that
        # brings must find nobody else here. A tunnel is on record as a connection of its own.
        is_shared = head.framing == NO_BODY and not head.wants_websocket
        shared = self._lane(head, destination, decision) if is_shared else None
        # Only what may be sent twice goes where earlier ones went: an origin may have closed that.
        begun = self._resumed(head, shared) if head.is_repeatable else None
        return await self._forward(head, request, shared, begun)

    async def _connect(self, head: RequestHead, request: Request) -> bool:
        found = await self._reach(request)
        if not isinstance(found, Upstream):
            return await self._unreached(head, request, found)
        await self._tunnel(found, answers.ESTABLISHED)
        return False

    @override
    async def _forward(
        self, head: RequestHead, request: Request, shared: Lane | None, begun: Begun
    ) -> bool:
        """Send a plain request where earlier ones of its lane went, or by a new connection."""
        if isinstance(begun, Exchange):
            goes_on = await self._exchange(begun, head)
            if not begun.is_stale:
                return goes_on
        found = begun if isinstance(begun, Decision) else await self._reach(request)
        if not isinstance(found, Upstream):
            return await self._unreached(head, request, found)
        limits, readiness = self._services.limits, self._services.readiness
        origin = Stream(found.socket, readiness, limit=limits.relay_bytes)
        return await self._exchange(Exchange(self._client, head, origin, found, lane=shared), head)

    async def _unreached(
        self, head: RequestHead, request: Request, found: Decision | DestinationUnreachable
    ) -> bool:
        if isinstance(found, DestinationUnreachable):
            return await self._fail(head, request, found.failure, str(found))
        return await self._refuse(head, request, found)

    def _too_large(self, head: RequestHead) -> Decision | None:
        """Refuse a body that says it is longer than what the run may still move."""
        if not isinstance(head.framing, Length) or not head.framing.octets:
            return None
        left = self._services.allowance.left
        if left is None or head.framing.octets <= left:
            return None
        decision = self._turned_away(Overload.BYTES, self._client_address)
        return replace(decision, status=_CONTENT_TOO_LARGE)

    async def _exchange(self, exchange: Exchange, head: RequestHead) -> bool:
        """True when the client's connection can carry another request."""
        self._running = exchange
        request = exchange.upstream.request
        try:
            await exchange.run()
        except ClientProtocolError as problem:
            # The decision about this request is on record; what is wrong is its body.
            if not exchange.has_answered:
                asked = self._asked(head, request.connection_id, request.destination)
                await self._farewell(answers.malformed(problem.status, str(problem), asked))
            return False
        finally:
            self._running = None
            if exchange.switched is None:
                self._ended(exchange)
        if exchange.switched is not None:
            greeting, answered = exchange.switched
            await self._tunnel(exchange.released(), greeting, answered)
            return False
        # Cut just then, it has no client to tell.
        if exchange.failure is not None and self._cut_for is None:
            failure, message = exchange.failure
            return await self._fail(head, request, failure, message)
        if exchange.keeps_alive:
            return True
        # Whoever goes on sending, or has sent more than is read, gets the answer all the same.
        if exchange.is_complete:
            goes_on = head.keep_alive or not exchange.is_sent
            await (self._farewell(b"") if goes_on else self._part())
        return False

    async def _unauthenticated(self, head: RequestHead) -> bool:
        decision = self._turned_away(Overload.CREDENTIALS, self._client_address)
        asked = self._asked(head, ConnectionId(new_id("c")), None)
        return await self._answer(answers.unauthenticated(decision, asked), asked)

    @override
    async def _refuse(self, head: RequestHead, request: Request, decision: Decision) -> bool:
        asked = self._asked(head, request.connection_id, request.destination)
        return await self._answer(answers.refusal(decision, asked), asked)

    async def _fail(
        self, head: RequestHead, request: Request, failure: Failure, message: str
    ) -> bool:
        asked = self._asked(head, request.connection_id, request.destination)
        return await self._answer(answers.failure(failure, message, asked), asked)

    async def _invalid(
        self, head: RequestHead, connection_id: ConnectionId, problem: InvalidDestination
    ) -> None:
        stray = Stray(
            connection_id=connection_id,
            client_address=self._client_address,
            protocol=Protocol.HTTPS if head.is_connect else Protocol.HTTP,
            method=head.method,
            host=head.authority,
        )
        decision = self._record_stray(stray, str(problem))
        asked = answers.Asked(
            request_id=connection_id, destination=None, method=head.method, keeps_alive=False
        )
        await self._farewell(answers.refusal(decision, asked))

    async def _malformed(self, problem: ClientProtocolError, *, host: str = "unknown") -> None:
        stray = Stray(
            connection_id=ConnectionId(new_id("c")),
            client_address=self._client_address,
            protocol=Protocol.HTTP,
            method=problem.method,
            host=host,
        )
        self._record_stray(stray, str(problem))
        asked = answers.Asked(
            request_id=stray.connection_id,
            destination=None,
            method=problem.method,
            keeps_alive=False,
        )
        await self._farewell(answers.malformed(problem.status, str(problem), asked))

    async def _answer(self, answer: bytes, asked: answers.Asked) -> bool:
        if asked.keeps_alive:
            await self._tell(answer)
        else:
            await self._farewell(answer)
        return asked.keeps_alive

    def _asked(
        self, head: RequestHead, connection_id: ConnectionId, destination: Destination | None
    ) -> answers.Asked:
        """After a refusal only a plain request without a body leaves all in a known state.

        What follows a refused CONNECT, or an offer that was not taken, may be of another protocol:
        never read as a request (CVE-2025-64763). Whoever came over a limit is not taken in later:
        it has to come again, and must not keep a place until it does.
        """
        keeps_alive = (
            head.keep_alive
            and self._overload is None
            and not head.is_connect
            and not head.wants_websocket
            and head.framing == NO_BODY
        )
        return answers.Asked(
            request_id=connection_id,
            destination=destination,
            method=head.method,
            keeps_alive=keeps_alive,
        )
