"""What two well-kept readers of HTTP/1 make of bytes: h11, and llhttp through httptools.

Each gives the one message at the start of the bytes, or None where it refuses them or has not seen
its end. What only one of them does not keep (llhttp the case of a name, h11 where an empty line
stood) is left out for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import h11
import httptools

type Fields = tuple[tuple[bytes, bytes], ...]
type Start = tuple[bytes | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One whole message. `start` is (method, target, minor) or (status, reason, minor)."""

    start: Start
    fields: Fields  # names in lower case, in order
    content: bytes
    rest: bytes  # what came after it


class Refused(str):
    """Why a reader has no message to show."""

    __slots__ = ()


def lowered(fields: Fields) -> Fields:
    return tuple((name.lower(), value) for name, value in fields)


def by_h11(data: bytes, *, answers: str | None = None, ended: bool = False) -> Message | Refused:
    """The request, or the response to the method `answers`; `ended`: the sender has closed."""
    role = h11.SERVER if answers is None else h11.CLIENT
    connection = h11.Connection(role, max_incomplete_event_size=len(data) + 1)
    if answers is not None:
        connection.send(h11.Request(method=answers, target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    if ended and data:
        connection.receive_data(b"")
    try:
        return _message(connection)
    except h11.RemoteProtocolError as refused:
        return Refused(refused)


def _message(connection: h11.Connection) -> Message | Refused:
    start: Start = ()
    fields: Fields = ()
    content = b""
    while True:
        match connection.next_event():
            case h11.Request() as head:
                start = (head.method, head.target, head.http_version[-1] - ord("0"))
                fields = tuple(head.headers)
            case h11.Response() | h11.InformationalResponse() as head:
                start = (head.status_code, head.reason, head.http_version[-1] - ord("0"))
                fields = tuple(head.headers)
                if isinstance(head, h11.InformationalResponse):
                    return _ended(connection, start, fields, b"")
            case h11.Data(data=data):
                content += data
            case h11.EndOfMessage():
                return _ended(connection, start, fields, content)
            case other:
                return Refused(f"no whole message: {other}")


def _ended(connection: h11.Connection, start: Start, fields: Fields, content: bytes) -> Message:
    rest = connection.trailing_data[0]
    return Message(start=start, fields=fields, content=content, rest=rest)


class _Heard:
    """llhttp's callbacks."""

    def __init__(self) -> None:
        self.url = self.reason = self.content = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_head, self.begun, self.ended = True, 0, 0

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_head:  # then trailers
            self.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_head = False

    def on_body(self, content: bytes) -> None:
        self.content += content

    def on_message_complete(self) -> None:
        self.ended += 1


def by_llhttp(data: bytes, *, is_response: bool = False) -> Message | Refused:
    """All of the bytes have to be one message: llhttp does not say where it ended."""
    heard = _Heard()
    start: Start
    if is_response:
        response = httptools.HttpResponseParser(heard)
        refused = _refused(response, heard, data)
        start = (response.get_status_code(), heard.reason, _minor(response))
    else:
        request = httptools.HttpRequestParser(heard)
        refused = _refused(request, heard, data)
        start = (request.get_method(), heard.url, _minor(request))
    return refused or Message(
        start=start, fields=tuple(heard.fields), content=heard.content, rest=b""
    )


type _Parser = httptools.HttpRequestParser | httptools.HttpResponseParser


def _minor(parser: _Parser) -> int:
    return int(parser.get_http_version()[-1])


def _refused(parser: _Parser, heard: _Heard, data: bytes) -> Refused | None:
    try:
        parser.feed_data(data[:-1])
        if heard.ended:
            return Refused("the message ends before its last byte")
        parser.feed_data(data[-1:])
    except httptools.HttpParserUpgrade:
        pass  # the head of a CONNECT, or of another protocol's first request
    except httptools.HttpParserError as refused:
        return Refused(refused)
    if (heard.begun, heard.ended) != (1, 1):
        return Refused(f"{heard.begun} messages begin, {heard.ended} end")
    return None
