"""The final answer of an origin on its way: its bytes in, the client's bytes out.

Says what goes on, when the answer is whole, and what that means for both connections. Heads are
read by `plain_response` or `http1_forward`, content by `body`; nothing here waits or sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netproxy.errors import ClientProtocolError, OriginProtocolError
from netproxy.protocol.body import (
    BodyReader,
    ChunkedReader,
    CloseReader,
    LengthReader,
    body_reader,
    framed,
)
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import Chunked, Framing, Length, UntilClose
from netproxy.protocol.http1_forward import ResponseReader, client_framing, response_head
from netproxy.protocol.plain_response import read_plain
from netproxy.protocol.trailers import last_chunk
from otel.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from netproxy.config import Limits
    from netproxy.protocol.http1 import RequestHead
    from netproxy.protocol.http1_forward import ResponseHead

_NONE: Final[frozenset[bytes]] = frozenset()


class Answer:
    """Everything after its head. Give it what comes, until it `is_over`."""

    __slots__ = (
        "_body", "_framing", "_trailers", "is_over", "is_whole", "keeps_client", "keeps_origin",
        "status", "unread",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 what a head says, to both sides
        self,
        status: int,
        body: BodyReader,
        framing: Framing,
        *,
        trailers: frozenset[bytes],
        keeps_client: bool,
        keeps_origin: bool,
    ) -> None:
        """`framing` is towards the client; `keeps_...`: whose connection outlives it if whole."""
        self.status = status
        self.keeps_client = keeps_client
        self.keeps_origin = keeps_origin
        self.is_over = False
        self.is_whole = False  # it is over, and nothing of it is missing
        self.unread = b""  # what the origin sent after it
        self._body = body
        self._framing = framing
        self._trailers = trailers

    def receive(self, data: bytes) -> bytes:
        """Return what goes on of these bytes. Malformed content ends it."""
        body = self._body
        try:
            content = body.receive(data) if data else b""
        except ClientProtocolError:
            self.break_off()
            return b""
        ready = framed(content, self._framing) if content else b""
        return ready + self._finish() if body.is_finished else ready

    def end(self) -> bytes:
        """Return what is left to say after the origin closed."""
        if isinstance(self._body, CloseReader):
            return self._finish()
        self.break_off()
        return b""

    def break_off(self) -> None:
        """Say that what is missing never comes: the client's connection ends, and shows it."""
        self.is_over = True
        self.keeps_client = False

    @property
    def seems_whole(self) -> bool:
        """Whether the end of the client's connection is the end of it, and it was not whole."""
        return not self.is_whole and isinstance(self._framing, UntilClose)

    def _finish(self) -> bytes:
        self.is_over = self.is_whole = True
        self.unread = self._body.unread
        if isinstance(self._framing, Chunked):
            return last_chunk(self._body.trailers, self._trailers)
        return b""


def final_answer(  # noqa: PLR0913 the request, its answer, and what we say of ourselves
    asked: RequestHead, head: ResponseHead, *, is_sent: bool, limits: Limits, via: str, date: str
) -> tuple[Answer, bytes]:
    """Begin with a final head: the rest of the answer, and the head for the client.

    `is_sent`: the whole request is. Only then the next one is where it is expected, and after an
    offer that was not taken nobody knows whether the client speaks HTTP next.
    """
    framing = client_framing(head, minor=asked.minor)
    keeps_client = (
        asked.keep_alive
        and is_sent
        and not isinstance(framing, UntilClose)
        and not asked.wants_websocket
    )
    trailers = head.trailers if asked.wants_trailers and isinstance(framing, Chunked) else _NONE
    if head.trailers != trailers:
        head = replace(head, trailers=trailers)
    written = response_head(head, framing=framing, via=via, date=date, keep_alive=keeps_client)
    body = body_reader(head.framing, limits)
    return Answer(
        head.status,
        body,
        framing,
        trailers=trailers,
        keeps_client=keeps_client,
        keeps_origin=head.persists,
    ), written


def begun(
    asked: RequestHead, data: bytes, *, limits: Limits, via: str, date: Callable[[], str]
) -> tuple[Answer, bytes] | None:
    """Begin with the first bytes of an answer: it, and what goes on of them.

    None where they are no whole final head, or none that can go on: `ResponseReader` says why. The
    request is over, its client keeps its connection and has no use for trailers.
    """
    plain = read_plain(data, limits) if asked.method != "HEAD" else None
    if plain is not None:
        framing = plain.framing
        answer = Answer(
            plain.status,
            LengthReader(framing.octets) if isinstance(framing, Length) else ChunkedReader(limits),
            framing,
            trailers=_NONE,
            keeps_client=True,
            keeps_origin=True,
        )
        written = plain.rendered(via=via, date="" if plain.has_date else date())
        return answer, written + answer.receive(data[plain.end :])
    reader = ResponseReader(limits, asked.method)
    try:
        head = reader.receive(data)
    except OriginProtocolError:
        return None
    if isinstance(head, NeedData) or not head.is_final:
        return None
    answer, written = final_answer(asked, head, is_sent=True, limits=limits, via=via, date=date())
    return answer, written + answer.receive(reader.unread)
