"""One plain HTTP request carried to its origin, and the response carried back.

Both bodies stream at once and each waits for the slower side. Heads and framing are made anew
(`protocol.http1_forward`, `protocol.body`); what the client may ask was decided before.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from netproxy.errors import ClientProtocolError, Failure, OriginProtocolError
from netproxy.model import CloseReason
from netproxy.protocol.body import LAST_CHUNK, BodyReader, CloseReader, body_reader, framed
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import NO_BODY, Chunked, Framing, UntilClose
from netproxy.protocol.http1_forward import (
    ResponseHead,
    ResponseReader,
    client_framing,
    request_head,
    response_head,
)
from netproxy.transport.stream import Stream

if TYPE_CHECKING:
    from netproxy.protocol.http1 import RequestHead
    from netproxy.transport.upstream import Upstream

# An origin that sends nothing but interim answers is not answering.
_INTERIM_RESPONSES = 32


class _ClientLeft(ConnectionError):
    """The client ended in the middle of its own request."""


class Exchange:
    """Request and response on one upstream connection. `close` is due when `run` is over.

    `failure` is set when nothing was answered yet and the client must be told; `keeps_alive` when
    the client's connection is in a known state for its next request.
    """

    def __init__(self, client: Stream, head: RequestHead, upstream: Upstream) -> None:
        self.keeps_alive = False
        self.failure: tuple[Failure, str] | None = None
        self._services = upstream.services
        self._client = client
        self._head = head
        self._upstream = upstream
        self._origin = Stream(
            upstream.socket, self._services.readiness, limit=self._services.limits.relay_bytes
        )
        self._sent = 0
        self._received = 0
        self._status: int | None = None
        self._is_complete = False
        self._request_body = body_reader(head.framing, self._services.limits)

    async def run(self) -> None:
        """Carry both. Raises `ClientProtocolError`, and `OSError` when the client is gone."""
        try:
            await self._send_head()
            if self._request_body.is_finished:
                await self._respond()
            else:
                await self._respond_while_uploading()
        except OriginProtocolError as problem:
            self._failed(Failure.HTTP_PROTOCOL_ERROR, str(problem))

    @property
    def in_flight(self) -> int:
        """Bytes that were exchanged with the origin so far."""
        return self._sent + self._received

    @property
    def has_answered(self) -> bool:
        """The client has the head of a final response: no other answer can follow."""
        return self._status is not None

    def close(self, broken_off: CloseReason) -> None:
        """Close the upstream connection and record it; an incomplete one must look like that."""
        if self._is_complete:
            self._origin.close()
        else:
            self._origin.abort()
        self._upstream.closed(
            CloseReason.FINISHED if self._is_complete else broken_off,
            sent=self._sent,
            received=self._received,
            status=self._status,
        )

    async def _send_head(self) -> None:
        head = request_head(
            self._head, self._upstream.request.destination, via=self._services.pseudonym
        )
        try:
            await self._to_origin(head)
        except OSError as gone:
            raise OriginProtocolError(f"the origin closed before the request: {gone}") from gone

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
            content = body.receive(data)
            if content and not await self._uploaded(framed(content, self._head.framing)):
                return
        self._client.unread = body.unread
        if isinstance(self._head.framing, Chunked):
            await self._uploaded(LAST_CHUNK)

    async def _uploaded(self, data: bytes) -> bool:
        try:
            await self._to_origin(data)
        except OSError:
            return False
        return True

    async def _to_origin(self, data: bytes) -> None:
        await self._origin.send(data)
        self._sent += len(data)

    async def _from_origin(self) -> bytes:
        try:
            data = await self._origin.receive()
        except OSError as gone:
            raise OriginProtocolError(f"the origin broke off: {gone}") from gone
        self._received += len(data)
        return data

    async def _respond(self) -> None:
        head = await self._final_head()
        if head is None:
            return
        framing = client_framing(head, minor=self._head.minor)
        # Only a request that was read whole leaves the next one where it is expected.
        self.keeps_alive = (
            self._head.keep_alive
            and self._request_body.is_finished
            and not isinstance(framing, UntilClose)
        )
        self._status = head.status
        await self._to_client_head(head, framing)
        if await self._download(body_reader(head.framing, self._services.limits), framing):
            self._is_complete = True
        else:
            self.keeps_alive = False

    async def _final_head(self) -> ResponseHead | None:
        """Read up to the final head; interim ones are passed to clients that know them."""
        for _ in range(_INTERIM_RESPONSES):
            head = await self._response_head()
            if head is None or head.is_final:
                return head
            if self._head.minor:
                await self._to_client_head(head, NO_BODY)
        raise OriginProtocolError("the origin sends interim answers only")

    async def _response_head(self) -> ResponseHead | None:
        reader = ResponseReader(self._services.limits, self._head.method)
        while data := await self._from_origin():
            head = reader.receive(data)
            if not isinstance(head, NeedData):
                self._origin.unread = reader.unread
                self._received -= len(reader.unread)  # read again, and counted then
                return head
        self._failed(Failure.CONNECTION_TERMINATED, "the origin closed without an answer")
        return None

    async def _to_client_head(self, head: ResponseHead, framing: Framing) -> None:
        await self._client.send(
            response_head(
                head,
                framing=framing,
                via=self._services.pseudonym,
                date=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
                keep_alive=self.keeps_alive,
            )
        )

    async def _download(self, body: BodyReader, framing: Framing) -> bool:
        """Stream the response's body; False when the origin broke off, so that it shows."""
        try:
            while not body.is_finished:
                data = await self._from_origin()
                if not data:
                    break
                content = body.receive(data)
                if content:
                    await self._client.send(framed(content, framing))
        except (OriginProtocolError, ClientProtocolError):
            return False
        if not body.is_finished and not isinstance(body, CloseReader):
            return False
        if isinstance(framing, Chunked):
            await self._client.send(LAST_CHUNK)
        return True

    def _failed(self, failure: Failure, message: str) -> None:
        if self._status is None:
            self.failure = failure, message


def _first(problem: Exception) -> Exception:
    """Pick one of the problems that came together: the first is the one to answer."""
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem
