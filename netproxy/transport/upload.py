"""The content of a plain request on its way: from the client to the origin, as it comes.

The client's framing is taken off and put on anew (`protocol.body`). What comes back meanwhile is
`forward`'s, which ends this when the answer is over first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.protocol.body import body_reader, framed
from netproxy.protocol.fields import Chunked
from netproxy.protocol.trailers import last_chunk

if TYPE_CHECKING:
    from netproxy.config import Limits
    from netproxy.protocol.http1 import RequestHead
    from netproxy.transport.stream import Stream


class _ClientLeft(ConnectionError):
    """The client ended in the middle of its own request."""


class Upload:
    """Of one request, whose head the origin has."""

    __slots__ = ("_client", "_head", "_limits", "_origin", "is_over", "may_wait")

    def __init__(self, client: Stream, head: RequestHead, origin: Stream, limits: Limits) -> None:
        self._client = client
        self._head = head
        self._origin = origin
        self._limits = limits
        self.is_over = False  # the origin has all of it
        self.may_wait = head.expects_continue  # the client, for a 100

    async def run(self) -> None:
        """Stream it; an origin that stops reading may still have answered.

        Raises `ClientProtocolError`, and `OSError` when the client is gone.
        """
        framing = self._head.framing
        body = body_reader(framing, self._limits)
        while not body.is_finished:
            data = await self._client.receive()
            if not data:
                raise _ClientLeft("the client left in the middle of its request")
            self.may_wait = False
            content = body.receive(data)
            if content and not await self._is_sent(framed(content, framing)):
                return
        self._client.unread = body.unread
        if isinstance(framing, Chunked):
            end = last_chunk(body.trailers, self._head.trailers)
            if not await self._is_sent(end):
                return
        self.is_over = True

    async def _is_sent(self, data: bytes) -> bool:
        try:
            await self._origin.send(data)
        except OSError:
            return False
        return True
