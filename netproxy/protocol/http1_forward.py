"""A plain request sent on, and its response sent back: what a proxy must change (RFC 9110 7.6).

Heads are made anew from what was read: hop-by-hop fields and those that Connection names go, Via
comes, Host is the target's, framing is ours. Bodies: `body`. The sockets: `transport.forward`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netproxy.errors import ClientProtocolError, OriginProtocolError
from netproxy.protocol.buffer import NEED_DATA, NeedData
from netproxy.protocol.fields import (
    CHUNKED,
    HOP_BY_HOP,
    NO_BODY,
    UNTIL_CLOSE,
    WEBSOCKET,
    Chunked,
    Framing,
    Index,
    Length,
    UntilClose,
    by_name,
    connection_options,
    declared_framing,
    offered_protocols,
)
from netproxy.protocol.head import Fields, HeadReader
from netproxy.protocol.proxy_status import PROXY_ERROR, without_our_name
from netproxy.protocol.trailers import announced
from otel.values import dataclass

if TYPE_CHECKING:
    from netproxy.config import Limits
    from netproxy.model import Destination
    from netproxy.protocol.http1 import RequestHead

_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
# A number of hops; `int` refuses more than 4,300 digits.
_HOPS = re.compile(rb"[0-9]{1,9}")
_INFORMATIONAL, _SWITCHING, _OK = 100, 101, 200
_NO_CONTENT, _NOT_MODIFIED = 204, 304
_HTTP_PORT = 80
_PROXYS_OWN = frozenset({PROXY_ERROR})
_TO_WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHead:
    """One response head, final or not."""

    status: int
    reason: bytes
    minor: int  # HTTP/1.minor
    fields: Fields
    index: Index  # the same fields by name
    options: frozenset[bytes]
    framing: Framing
    may_stray: bool  # of an answer without content: its head is that of one with some
    trailers: frozenset[bytes]  # those of its content that may go on

    @property
    def switches(self) -> bool:
        """What follows is another protocol."""
        return self.status == _SWITCHING

    @property
    def persists(self) -> bool:
        """The origin keeps the connection for another request (RFC 9112 section 9.3).

        Some send a HEAD's content all the same, and late: it would be the next one's answer.
        """
        return (
            self.minor > 0
            and b"close" not in self.options
            and not isinstance(self.framing, UntilClose)
            and not self.may_stray
        )

    @property
    def is_final(self) -> bool:
        """Not one of the 1xx that come before the real answer."""
        return self.status >= _OK


@dataclass(frozen=True, slots=True)
class _StatusLine:
    minor: int
    status: int
    reason: bytes


class ResponseReader:
    """Bytes in, one `ResponseHead` out; `unread` is what came after. One reader for each head."""

    __slots__ = ("_head", "_method", "_wants_websocket", "unread")

    def __init__(self, limits: Limits, method: str, *, wants_websocket: bool = False) -> None:
        """Both are of the request that it answers."""
        self._head = HeadReader(limits, _read_status_line)
        self._method = method
        self._wants_websocket = wants_websocket
        self.unread = b""

    def receive(self, data: bytes) -> NeedData | ResponseHead:
        """Take the next bytes. Raises `OriginProtocolError`."""
        try:
            parts = self._head.receive(data)
            if parts is None:
                return NEED_DATA
            line, fields, self.unread = parts
            return self._response(line, fields)
        except ClientProtocolError as refused:
            raise OriginProtocolError(f"the origin's answer: {refused}") from refused

    def _response(self, line: _StatusLine, fields: Fields) -> ResponseHead:
        index = by_name(fields)
        options = connection_options(index, is_answer=True)
        if line.status == _SWITCHING:
            self._refuse_other_switch(line, index, options)
        declared = declared_framing(index, minor=line.minor)
        framing = self._framing(line, declared)
        return ResponseHead(
            status=line.status,
            reason=line.reason,
            minor=line.minor,
            fields=fields,
            index=index,
            options=options,
            framing=framing,
            may_stray=framing == NO_BODY and self._has_content(declared),
            trailers=announced(index) if isinstance(framing, Chunked) else frozenset(),
        )

    def _refuse_other_switch(
        self, line: _StatusLine, index: Index, options: frozenset[bytes]
    ) -> None:
        """RFC 9110 section 15.2.2: what was asked for, or nothing."""
        if not self._wants_websocket:
            raise OriginProtocolError("the origin switched protocols without being asked")
        if not line.minor or offered_protocols(index, options) != WEBSOCKET:
            raise OriginProtocolError("the origin switched to another protocol than was asked for")

    def _has_content(self, declared: Framing | None) -> bool:
        """Whether the head would be that of content: 204 and 304 say nothing of it, as a rule."""
        return self._method == "HEAD" if declared is None else declared != NO_BODY

    def _framing(self, line: _StatusLine, declared: Framing | None) -> Framing:
        """RFC 9112 section 6.3, in its order."""
        if (
            self._method == "HEAD"
            or line.status < _OK
            or line.status in {_NO_CONTENT, _NOT_MODIFIED}
        ):
            return NO_BODY
        return UNTIL_CLOSE if declared is None else declared


def _read_status_line(line: bytes) -> _StatusLine:
    match = _STATUS.fullmatch(line)
    if match is None:
        raise ClientProtocolError("the status line is malformed")
    return _StatusLine(int(match[1]), int(match[2]), match[3] or b"")


def refuse_unforwardable(head: RequestHead, pseudonym: str) -> None:
    """Raise `ClientProtocolError` for a request that may go no further, whatever the policy."""
    try:
        _refuse_unforwardable(head, pseudonym)
    except ClientProtocolError as refused:
        refused.method = head.method
        raise


def _refuse_unforwardable(head: RequestHead, pseudonym: str) -> None:
    _max_forwards(head)
    _refuse_other_expectations(head)
    # Our own name in Via: the request has been here before (RFC 9110 section 7.6.3).
    own = pseudonym.encode("ascii")
    for value in head.index.get(b"via", ()):
        for hop in value.split(b","):
            if own in hop.split():
                raise ClientProtocolError("the request has passed this proxy before", status=508)


def _refuse_other_expectations(head: RequestHead) -> None:
    """RFC 9110 section 10.1.1: what nobody defined, nobody can meet. HTTP/1.0 has none."""
    if not head.minor:
        return
    for value in head.index.get(b"expect", ()):
        if value.lower() != b"100-continue":
            raise ClientProtocolError("an expectation other than 100-continue", status=417)


def request_head(
    head: RequestHead, destination: Destination, *, via: str, persists: bool = False
) -> bytes:
    """Write the request for its origin, in origin form. `persists`: another one may follow it."""
    fields = request_fields(head, destination, via=via, persists=persists)
    return request_line(head) + fields


def request_line(head: RequestHead) -> bytes:
    """Write the first line of that, without its end."""
    return b"%b %b HTTP/1.1" % (head.method.encode("ascii"), _origin_form(head))


def request_fields(
    head: RequestHead, destination: Destination, *, via: str, persists: bool
) -> bytes:
    """Write what follows it, from the line's end to the empty line: the path is not in there."""
    port = "" if destination.port == _HTTP_PORT else f":{destination.port}"
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    lines = [b"", f"Host: {host}{port}".encode("ascii")]
    lines += _passed_on(head.fields, head.options, _dropped_from(head))
    lines += _max_forwards(head)
    lines.append(b"Via: 1.%d %b" % (head.minor, via.encode("ascii")))
    lines += _framing_lines(head.framing, is_declared=_has_body_fields(head))
    lines += _trailer_line(head.trailers)
    if head.wants_websocket:
        lines.append(_TO_WEBSOCKET)
    elif head.wants_trailers:
        lines.append(b"TE: trailers")
        lines.append(b"Connection: TE" if persists else b"Connection: TE, close")
    elif not persists:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"\r\n"])


def response_head(
    response: ResponseHead, *, framing: Framing, via: str, date: str, keep_alive: bool
) -> bytes:
    """Write a response head for the client, framed as the client can read it."""
    lines = [b"HTTP/1.1 %d %b" % (response.status, response.reason)]
    is_bodiless = response.framing == NO_BODY
    may_keep_length = is_bodiless and response.is_final and response.status != _NO_CONTENT
    dropped = _PROXYS_OWN if may_keep_length else _PROXYS_OWN | {b"content-length"}
    fields = without_our_name(response.fields, response.index)
    lines += _passed_on(fields, response.options, dropped)
    lines.append(b"Via: 1.%d %b" % (response.minor, via.encode("ascii")))
    if response.switches:
        lines.append(_TO_WEBSOCKET)
    if response.is_final:
        # RFC 9110 section 6.6.1: a recipient with a clock adds the Date that an origin left out.
        if b"date" not in response.index or b"date" in response.options:
            lines.append(f"Date: {date}".encode("ascii"))
        if not may_keep_length:
            lines += _framing_lines(framing, is_declared=response.status != _NO_CONTENT)
        lines += _trailer_line(response.trailers)
        if not keep_alive:
            lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"\r\n"])


def client_framing(response: ResponseHead, *, minor: int) -> Framing:
    """Choose the framing towards a client: what the origin gave no length for goes in chunks."""
    match response.framing:
        case Length():
            return response.framing
        case _:
            return CHUNKED if minor else UNTIL_CLOSE


def _origin_form(head: RequestHead) -> bytes:
    """Byte for byte as sent (RFC 9110 section 7.7); only an empty path is filled in."""
    if not head.path and head.method == "OPTIONS":
        return b"*"  # RFC 9112 section 3.2.4
    return head.path if head.path.startswith(b"/") else b"/" + head.path


def _dropped_from(head: RequestHead) -> frozenset[bytes]:
    dropped = {b"host", b"content-length", b"max-forwards"}
    # RFC 9110 section 10.1.1: Expect means nothing in HTTP/1.0.
    return frozenset(dropped if head.minor else {*dropped, b"expect"})


def _has_body_fields(head: RequestHead) -> bool:
    return b"content-length" in head.index or isinstance(head.framing, Chunked)


def _passed_on(fields: Fields, options: frozenset[bytes], dropped: frozenset[bytes]) -> list[bytes]:
    """Keep the order and spelling of all fields that are for the other end."""
    gone = HOP_BY_HOP | options | dropped
    return [b"%b: %b" % (name, value) for name, value in fields if name.lower() not in gone]


def _max_forwards(head: RequestHead) -> list[bytes]:
    """RFC 9110 section 7.6.2: counted down for OPTIONS; elsewhere it passes as it is."""
    counts = head.index.get(b"max-forwards", [])
    if head.method != "OPTIONS":
        return [b"Max-Forwards: " + count for count in counts]
    if len(counts) > 1 or any(not _HOPS.fullmatch(count) for count in counts):
        raise ClientProtocolError("Max-Forwards is not a number")
    if any(int(count) == 0 for count in counts):
        raise ClientProtocolError("Max-Forwards is used up; the proxy has no options", status=501)
    return [b"Max-Forwards: %d" % (int(count) - 1) for count in counts]


def _trailer_line(trailers: frozenset[bytes]) -> list[bytes]:
    return [b"Trailer: " + b", ".join(sorted(trailers))] if trailers else []


def _framing_lines(framing: Framing, *, is_declared: bool) -> list[bytes]:
    match framing:
        case Length(octets):
            return [b"Content-Length: %d" % octets] if is_declared else []
        case Chunked():
            return [b"Transfer-Encoding: chunked"]
        case _:
            return []
