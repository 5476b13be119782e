"""One plain HTTP request carried to its origin, and the response carried back.

Both bodies stream at once and each waits for the slower side. Heads and framing are made anew
(`protocol.http1_forward`, `protocol.answer`); what the client may ask was decided before. What
needs no waiting is a plain step (`begin`, `advance`), for `express`; `run` goes on from there.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING

from netproxy.errors import Failure, OriginProtocolError
from netproxy.model import CloseReason
from netproxy.protocol.answer import begun, final_answer
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import NO_BODY
from netproxy.protocol.http1_forward import ResponseReader, request_head, response_head
from netproxy.transport.http_date import http_date
from netproxy.transport.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.protocol.answer import Answer
    from netproxy.protocol.http1 import RequestHead
    from netproxy.protocol.http1_forward import ResponseHead
    from netproxy.transport.pool import Lane
    from netproxy.transport.stream import Stream
    from netproxy.transport.upstream import Upstream

# An origin that sends nothing but interim answers is not answering.
_INTERIM_RESPONSES = 32
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Stale(ConnectionError):
    """A connection that carried a request before was over when this one came."""


class Step(Enum):
    """What is to be done after a step that waited for nothing."""

    WAIT = auto()  # for more from the origin
    RUN = auto()  # what comes next may have to wait, or is rare
    DONE = auto()  # nothing: the client has the whole answer


class Exchange:
    """Request and response on one upstream connection. `close` is due when it is over.

    `failure` is set when nothing was answered yet and the client must be told; `keeps_alive` says
    that the client's connection is in a known state for its next request; `switched` is set when
    both connections are a tunnel from now on: what says so, and what came of it already.
    """

    __slots__ = (
        "_answer", "_client", "_head", "_is_reused", "_lane", "_onward", "_origin", "_ready",
        "_sent_before", "_services", "_upload", "failure", "is_complete", "is_stale", "received",
        "switched", "upstream",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 two connections, what goes between them, and what is known of both
        self,
        client: Stream,
        head: RequestHead,
        origin: Stream,
        upstream: Upstream,
        *,
        lane: Lane | None,
        is_reused: bool = False,
        onward: bytes | None = None,
    ) -> None:
        """Later requests on `lane` may use the connection, as earlier ones did if `is_reused`.

        `onward` is the request's head as the origin gets it, where that is written already.
        """
        self.failure: tuple[Failure, str] | None = None
        self.switched: tuple[bytes, bytes] | None = None
        self.is_complete = False  # the client has the whole answer
        self.is_stale = False  # it was over before the request came: nobody saw that, nor answered
        self.received = 0
        self.upstream = upstream
        self._services = upstream.services
        self._client = client
        self._head = head
        self._origin = origin
        self._lane = lane
        self._is_reused = is_reused
        self._onward = onward  # what is left to send of that
        self._answer: Answer | None = None  # once its head is read
        self._ready = b""  # of it, for the client
        self._sent_before = origin.sent  # by the requests that it carried first
        # Nearly always it is this very one.
        is_whole = head.framing is NO_BODY or head.framing == NO_BODY
        self._upload = None if is_whole else Upload(client, head, origin, self._services.limits)

    async def run(self) -> None:
        """Carry both, from where they stand, to their end.

        Raises `ClientProtocolError`, and `OSError` when the client is gone.
        """
        try:
            await self._send_head()
            if self._upload is None:
                await self._respond()
            else:
                await self._respond_while(self._upload)
        except OriginProtocolError as problem:
            if self._answer is None:
                self.failure = Failure.HTTP_PROTOCOL_ERROR, str(problem)
        except _Stale:
            self.is_stale = True

    def begin(self) -> Step:
        """Send the request's head without waiting. What fails is for `run` to meet again."""
        head = self._unsent()
        try:
            self._onward = self._origin.send_now(head)
        except OSError:
            return Step.RUN
        return Step.RUN if self._onward else Step.WAIT

    def advance(self) -> Step:
        """Pass on what has come of the answer to a simple request, without waiting.

        What fails, ends too soon or is rare is left to `run` as it was found.
        """
        try:
            data = self._origin.receive_now()
        except OSError:
            return Step.RUN
        if not data:
            return Step.WAIT if data is None else Step.RUN
        self.received += len(data)
        ready = self._begun(data) if self._answer is None else self._answer.receive(data)
        if self._answer is None:
            self._origin.unread = data
            return Step.RUN
        return self._pass_on(self._answer, ready)

    @property
    def sent(self) -> int:
        """Bytes that went to the origin so far, also of a piece that not all went of."""
        return self._origin.sent - self._sent_before

    @property
    def is_sent(self) -> bool:
        """Whether the origin has all of the request, once it has its head."""
        return self._upload is None or self._upload.is_over

    @property
    def in_flight(self) -> int:
        """Bytes that were exchanged with the origin so far."""
        return self.sent + self.received

    @property
    def has_answered(self) -> bool:
        """The client has the head of a final response: no other answer can follow."""
        return self._answer is not None

    @property
    def keeps_alive(self) -> bool:
        """Whether the client's connection is where its next request is expected."""
        return self._answer is not None and self._answer.keeps_client

    def close(self, broken_off: CloseReason | None) -> None:
        """Record what was carried, and close the connection or leave it to the next request.

        `broken_off` is why, if it was us. An incomplete one must look like that to both sides.
        """
        self.upstream.failure = self.failure and self.failure[0]
        self.upstream.closed(
            CloseReason.FINISHED if self.is_complete else broken_off or CloseReason.RESET,
            sent=self.sent,
            received=self.received,
            status=self._status,
        )
        if not self.is_complete:
            self._origin.abort()
            if self._answer is not None and self._answer.seems_whole:
                self._client.abort()
        elif self._may_carry_another and broken_off is None and self._lane is not None:
            self._services.pool.give(self._lane, self._origin, self.upstream)
        else:
            self._origin.close()

    def released(self) -> Upstream:
        """Give the connection away: both ends speak another protocol from here on."""
        self._origin.release()
        upstream = self.upstream
        upstream.sent, upstream.received, upstream.status = self.sent, self.received, self._status
        if self.switched is not None:
            upstream.received -= len(self.switched[1])  # the tunnel counts those
        return upstream

    def when_ready(self, come: Callable[[], None]) -> None:
        """Call `come` once, when there is something for `advance`."""
        self._origin.rest(come)

    @property
    def _status(self) -> int | None:
        return None if self._answer is None else self._answer.status

    @property
    def _may_carry_another(self) -> bool:
        """Both sides know where the next message begins, and nobody said that there is none.

        What came after the answer belongs to nobody: it must not answer the next request.
        """
        answer = self._answer
        return answer is not None and answer.keeps_origin and not self._origin.unread

    def _unsent(self) -> bytes:
        """What the origin does not have yet of the request's head."""
        if self._onward is None:
            self._onward = request_head(
                self._head,
                self.upstream.request.destination,
                via=self._services.pseudonym,
                persists=self._lane is not None,
            )
        return self._onward

    async def _send_head(self) -> None:
        head = self._unsent()
        try:
            await self._origin.send(head)
        except OSError as gone:
            raise self._gone(f"the origin closed before the request: {gone}") from gone
        self._onward = b""

    def _gone(self, message: str) -> Exception:
        """Tell a connection that ended between two requests from one that ended in this one."""
        if self._is_reused and not self.received:
            return _Stale(message)
        return OriginProtocolError(message)

    async def _respond_while(self, upload: Upload) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                uploading = group.create_task(upload.run())
                await self._respond()
                uploading.cancel()
        except ExceptionGroup as problems:
            raise _first(problems) from None

    async def _from_origin(self, *, looks_first: bool = True) -> bytes:
        try:
            data = await self._origin.receive(looks_first=looks_first)
        except OSError as gone:
            raise self._gone(f"the origin broke off: {gone}") from gone
        self.received += len(data)
        return data

    async def _first_answer(self, upload: Upload) -> bytes:
        """Read; a client that waits for leave to send its content has it from us in the end."""
        try:
            async with asyncio.timeout(self._services.limits.continue_seconds):
                return await self._from_origin()
        except TimeoutError:
            if upload.may_wait:
                await self._client.send(_CONTINUE)
        finally:
            upload.may_wait = False
        return await self._from_origin()

    async def _respond(self) -> None:
        answer = self._answer
        if answer is None:
            head = await self._final_head()
            if head is None:
                return
            services = self._services
            answer, self._ready = final_answer(
                self._head,
                head,
                is_sent=self.is_sent,
                limits=services.limits,
                via=services.pseudonym,
                date=http_date(),
            )
            self._answer = answer
            if head.switches:
                self.switched = self._ready, self._rest()
                return
            self._ready += answer.receive(self._rest())
        await self._download(answer)

    async def _final_head(self) -> ResponseHead | None:
        """Read up to the final head; interim ones are passed to clients that know them."""
        for _ in range(_INTERIM_RESPONSES):
            head = await self._response_head()
            if head is None or head.is_final or head.switches:
                return head
            if self._head.minor:
                via = self._services.pseudonym
                interim = response_head(head, framing=NO_BODY, via=via, date="", keep_alive=False)
                await self._client.send(interim)
        raise OriginProtocolError("the origin sends interim answers only")

    async def _response_head(self) -> ResponseHead | None:
        asked = self._head
        reader = ResponseReader(
            self._services.limits, asked.method, wants_websocket=asked.wants_websocket
        )
        data = self._rest()
        if not data and self._upload is not None and self._upload.may_wait:
            data = await self._first_answer(self._upload)
        # It has the request only just now.
        while data or (data := await self._from_origin(looks_first=False)):
            head = reader.receive(data)
            if not isinstance(head, NeedData):
                self._origin.unread = reader.unread
                return head
            data = b""
        if self._is_reused and not self.received:
            raise _Stale("it was over")
        self.failure = Failure.CONNECTION_TERMINATED, "the origin closed without an answer"
        return None

    def _rest(self) -> bytes:
        """Take what was read together with what is done."""
        rest, self._origin.unread = self._origin.unread, b""
        return rest

    def _begun(self, data: bytes) -> bytes:
        """Begin with all that has come; where that is no whole final head, there is no answer."""
        limits, via = self._services.limits, self._services.pseudonym
        found = begun(self._head, data, limits=limits, via=via, date=http_date)
        self._answer, ready = found or (None, b"")
        return ready

    def _pass_on(self, answer: Answer, ready: bytes) -> Step:
        try:
            self._ready = self._client.send_now(ready)
        except OSError:
            self._ready = ready
        if self._ready:
            return Step.RUN
        if not answer.is_over:
            return Step.WAIT
        self._finish(answer)
        return Step.DONE

    async def _download(self, answer: Answer) -> None:
        """Stream the response; where the origin broke off, that shows.

        What was read together goes on together: most answers are one read and one write.
        """
        while not answer.is_over:
            await self._send_ready()
            try:
                data = await self._from_origin()
            except OriginProtocolError:  # a reset ends nothing, also where an end would
                answer.break_off()
                break
            self._ready = answer.receive(data) if data else answer.end()
        await self._send_ready()
        self._finish(answer)

    async def _send_ready(self) -> None:
        ready, self._ready = self._ready, b""
        if ready:
            await self._client.send(ready)

    def _finish(self, answer: Answer) -> None:
        self.is_complete = answer.is_whole
        self._origin.unread = answer.unread


def _first(problem: Exception) -> Exception:
    """Pick one of the problems that came together: the first is the one to answer."""
    while isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    return problem
