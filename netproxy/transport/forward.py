"""One plain HTTP request carried to its origin, and the response carried back.

Both bodies stream at once and each waits for the slower side. Heads and framing are made anew
(`protocol.http1_forward`, `protocol.body`); what the client may ask was decided before.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from netproxy.errors import ClientProtocolError, Failure, OriginProtocolError
from netproxy.model import CloseReason
from netproxy.protocol.body import CloseReader, body_reader, framed
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import NO_BODY, Chunked, Framing, UntilClose
from netproxy.protocol.http1_forward import (
    ResponseHead,
    ResponseReader,
    client_framing,
    request_head,
    response_head,
)
from netproxy.protocol.trailers import last_chunk

if TYPE_CHECKING:
    from netproxy.protocol.body import BodyReader
    from netproxy.protocol.http1 import RequestHead
    from netproxy.transport.pool import Lane
    from netproxy.transport.stream import Stream
    from netproxy.transport.upstream import Upstream

# An origin that sends nothing but interim answers is not answering.
_INTERIM_RESPONSES = 32
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _ClientLeft(ConnectionError):
    """The client ended in the middle of its own request."""


class _Stale(ConnectionError):
    """A connection that carried a request before was over when this one came."""


class Exchange:
    """Request and response on one upstream connection. `close` is due when `run` is over.

    `failure` is set when nothing was answered yet and the client must be told; `keeps_alive` when
    the client's connection is in a known state for its next request; `switched`, with what comes
    first, when both connections are a tunnel from now on.
    """

    def __init__(  # noqa: PLR0913 two connections, what goes between them, and what is known of both
        self,
        client: Stream,
        head: RequestHead,
        origin: Stream,
        upstream: Upstream,
        *,
        lane: Lane | None,
        is_reused: bool = False,
    ) -> None:
        """Later requests on `lane` may use the connection, as earlier ones did if `is_reused`."""
        self.keeps_alive = False
        self.failure: tuple[Failure, str] | None = None
        self.switched: bytes | None = None
        self.is_complete = False  # the client has the whole answer
        self.is_stale = False  # it was over before the request came: nobody saw that, nor answered
        self.sent = 0
        self.received = 0
        self._services = upstream.services
        self._client = client
        self._head = head
        self._origin = origin
        self.upstream = upstream
        self._lane = lane
        self._is_reused = is_reused
        self._status: int | None = None
        self._persists = False
        self._trailers: frozenset[bytes] = frozenset()  # of the answer, that go to the client
        self._request_body = body_reader(head.framing, self._services.limits)
        self._is_sent = self._request_body.is_finished  # all of the request, with its framing
        self._may_wait = head.expects_continue and not self._is_sent  # for a 100

    async def run(self) -> None:
        """Carry both. Raises `ClientProtocolError`, and `OSError` when the client is gone."""
        try:
            await self._send_head()
            if self._is_sent:
                await self._respond()
            else:
                await self._respond_while_uploading()
        except OriginProtocolError as problem:
            self._failed(Failure.HTTP_PROTOCOL_ERROR, str(problem))
        except _Stale:
            self.is_stale = True

    @property
    def in_flight(self) -> int:
        """Bytes that were exchanged with the origin so far."""
        return self.sent + self.received

    @property
    def has_answered(self) -> bool:
        """The client has the head of a final response: no other answer can follow."""
        return self._status is not None

    def close(self, broken_off: CloseReason | None) -> None:
        """Record what was carried, and close the connection or leave it to the next request.

        `broken_off` is why, if it was us. An incomplete one must look like that to the origin.
        """
        self.upstream.closed(
            CloseReason.FINISHED if self.is_complete else broken_off or CloseReason.RESET,
            sent=self.sent,
            received=self.received,
            status=self._status,
        )
        if not self.is_complete:
            self._origin.abort()
        elif self._may_carry_another and broken_off is None and self._lane is not None:
            self._services.pool.give(self._lane, self._origin, self.upstream)
        else:
            self._origin.close()

    def released(self) -> Upstream:
        """Give the connection away: both ends speak another protocol from here on."""
        self._origin.release()
        upstream = self.upstream
        upstream.sent, upstream.received, upstream.status = self.sent, self.received, self._status
        return upstream

    @property
    def _may_carry_another(self) -> bool:
        """Both sides know where the next message begins, and nobody said that there is none.

        What came after the answer belongs to nobody: it must not answer the next request.
        """
        return self._persists and not self._origin.unread

    async def _send_head(self) -> None:
        head = request_head(
            self._head,
            self.upstream.request.destination,
            via=self._services.pseudonym,
            persists=self._lane is not None,
        )
        try:
            await self._to_origin(head)
        except OSError as gone:
            raise self._gone(f"the origin closed before the request: {gone}") from gone

    def _gone(self, message: str) -> Exception:
        """Tell a connection that ended between two requests from one that ended in this one."""
        if self._is_reused and not self.received:
            return _Stale(message)
        return OriginProtocolError(message)

    async def _respond_while_uploading(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                upload = group.create_task(self._upload())
                await self._respond()
                upload.cancel()
        except ExceptionGroup as problems:
            raise _first(problems) from None

    async def _upload(self) -> None:
        """Stream the request's body; an origin that stops reading may still have answered."""
        body = self._request_body
        while not body.is_finished:
            data = await self._client.receive()
            if not data:
                raise _ClientLeft("the client left in the middle of its request")
            self._may_wait = False
            content = body.receive(data)
            if content and not await self._uploaded(framed(content, self._head.framing)):
                return
        self._client.unread = body.unread
        if isinstance(self._head.framing, Chunked):
            end = last_chunk(body.trailers, self._head.trailers)
            if not await self._uploaded(end):
                return
        self._is_sent = True

    async def _uploaded(self, data: bytes) -> bool:
        try:
            await self._to_origin(data)
        except OSError:
            return False
        return True

    async def _to_origin(self, data: bytes) -> None:
        await self._origin.send(data)
        self.sent += len(data)

    async def _from_origin(self, *, looks_first: bool = True) -> bytes:
        try:
            data = await self._origin.receive(looks_first=looks_first)
        except OSError as gone:
            raise self._gone(f"the origin broke off: {gone}") from gone
        self.received += len(data)
        return data

    async def _first_answer(self) -> bytes:
        """Read; a client that waits for leave to send its content has it from us in the end."""
        try:
            async with asyncio.timeout(self._services.limits.continue_seconds):
                return await self._from_origin()
        except TimeoutError:
            if self._may_wait:
                await self._client.send(_CONTINUE)
        finally:
            self._may_wait = False
        return await self._from_origin()

    async def _respond(self) -> None:
        head = await self._final_head()
        if head is None:
            return
        framing = client_framing(head, minor=self._head.minor)
        # Only a request that is over leaves the next one where it is expected, and after an offer
        # that was not taken nobody knows whether the client speaks HTTP next.
        self.keeps_alive = (
            self._head.keep_alive
            and self._is_sent
            and not isinstance(framing, UntilClose)
            and not self._head.wants_websocket
        )
        self._status = head.status
        if not self._head.wants_trailers or not isinstance(framing, Chunked):
            head = replace(head, trailers=frozenset()) if head.trailers else head
        self._trailers = head.trailers
        first = self._client_head(head, framing)
        if head.switches:
            self.switched = first + self._rest()
            return
        body = body_reader(head.framing, self._services.limits)
        if await self._download(first, body, framing):
            self.is_complete = True
            self._persists = head.persists
        else:
            self.keeps_alive = False

    async def _final_head(self) -> ResponseHead | None:
        """Read up to the final head; interim ones are passed to clients that know them."""
        for _ in range(_INTERIM_RESPONSES):
            head = await self._response_head()
            if head is None or head.is_final or head.switches:
                return head
            if self._head.minor:
                await self._client.send(self._client_head(head, NO_BODY))
        raise OriginProtocolError("the origin sends interim answers only")

    async def _response_head(self) -> ResponseHead | None:
        asked = self._head
        reader = ResponseReader(
            self._services.limits, asked.method, wants_websocket=asked.wants_websocket
        )
        data = self._rest()
        if not data and self._may_wait:
            data = await self._first_answer()
        # It has the request only just now.
        while data or (data := await self._from_origin(looks_first=False)):
            head = reader.receive(data)
            if not isinstance(head, NeedData):
                self._origin.unread = reader.unread
                return head
            data = b""
        if self._is_reused and not self.received:
            raise _Stale("it was over")
        self._failed(Failure.CONNECTION_TERMINATED, "the origin closed without an answer")
        return None

    def _rest(self) -> bytes:
        """Take what was read together with what is done."""
        rest, self._origin.unread = self._origin.unread, b""
        return rest

    def _client_head(self, head: ResponseHead, framing: Framing) -> bytes:
        return response_head(
            head,
            framing=framing,
            via=self._services.pseudonym,
            date=_date(int(time.time())),
            keep_alive=self.keeps_alive,
        )

    async def _download(self, head: bytes, body: BodyReader, framing: Framing) -> bool:
        """Stream the response; False when the origin broke off, so that it shows.

        What was read together goes on together: most answers are one read and one write.
        """
        ready, data = head, self._rest()
        try:
            while True:
                if data and (content := body.receive(data)):
                    ready += framed(content, framing)
                if body.is_finished:
                    break
                if ready:
                    await self._client.send(ready)
                    ready = b""
                data = await self._from_origin()
                if not data:
                    break
        except (OriginProtocolError, ClientProtocolError):
            await self._client.send(ready)
            return False
        if not body.is_finished and not isinstance(body, CloseReader):
            return False
        self._origin.unread = body.unread
        if isinstance(framing, Chunked):
            ready += last_chunk(body.trailers, self._trailers)
        await self._client.send(ready)
        return True

    def _failed(self, failure: Failure, message: str) -> None:
        if self._status is None:
            self.failure = failure, message


@lru_cache(maxsize=1)  # for an answer without one: one a second
def _date(seconds: int) -> str:
    """IMF-fixdate (RFC 9110 section 5.6.7)."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds))


def _first(problem: Exception) -> Exception:
    """Pick one of the problems that came together: the first is the one to answer."""
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem
