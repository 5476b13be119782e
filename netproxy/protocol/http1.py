"""HTTP/1 requests as a forward proxy gets them: CONNECT, and plain requests in absolute form.

Reads and judges one request head (RFC 9112, RFC 9110 section 9.3.6). Whatever two readers could
read differently is refused with the status that says so. Hosts stay text here: their canonical
form is `netproxy.policy.hosts`; sending the request on is `http1_forward`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from netproxy.errors import ClientProtocolError
from netproxy.protocol.buffer import NEED_DATA, NeedData
from netproxy.protocol.fields import (
    NO_BODY,
    WEBSOCKET,
    Chunked,
    Framing,
    Index,
    Length,
    by_name,
    connection_options,
    declared_framing,
    offered_protocols,
)
from netproxy.protocol.head import Fields, HeadReader
from netproxy.protocol.trailers import announced, wants_trailers
from otel.values import dataclass

if TYPE_CHECKING:
    from netproxy.config import Limits

# RFC 9112 section 3: one space each, nothing else. Visible ASCII only in the target.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp]://([^/?]+)(.*)")
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://")
# uri-host and port without userinfo and lists: what a Host field may hold (RFC 9110 section 7.2).
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+;=\[\]:-]+")
_HTTP_PORT = b":80"
# RFC 9110 section 9.2.2. TRACE is not forwarded.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """One request, read and found unambiguous; its host not yet canonical."""

    method: str
    authority: str  # from the target: `host:port`, or `host` alone in absolute form
    path: bytes  # origin-form, byte for byte as sent; empty for CONNECT
    minor: int  # HTTP/1.minor
    fields: Fields
    index: Index  # the same fields by name
    options: frozenset[bytes]  # what Connection names
    framing: Framing
    keep_alive: bool
    wants_websocket: bool
    wants_trailers: bool
    trailers: frozenset[bytes]  # those of its content that may go on

    @property
    def is_connect(self) -> bool:
        """A tunnel is asked for."""
        return self.method == "CONNECT"

    @property
    def expects_continue(self) -> bool:
        """Its content may be waiting for a 100 (RFC 9110 section 10.1.1)."""
        return self.minor == 1 and b"expect" in self.index

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be sent again when nobody knows if it arrived (RFC 9110 9.2.2)."""
        return self.method in _IDEMPOTENT and self.framing == NO_BODY


class RequestReader:
    """Bytes in, one `RequestHead` out. `unread` holds what came after it."""

    __slots__ = ("_head", "unread")

    def __init__(self, limits: Limits) -> None:
        self._head = HeadReader(limits, partial(_read_line, limits.target_bytes))
        self.unread = b""

    @property
    def is_empty(self) -> bool:
        """Nothing of a request has come yet."""
        return self._head.is_empty

    def receive(self, data: bytes) -> NeedData | RequestHead:
        """Take the next bytes. Raises `ClientProtocolError` with the status to answer."""
        try:
            parts = self._head.receive(data)
            if parts is None:
                return NEED_DATA
            (method, target, minor), fields, self.unread = parts
            return _request(method, target, minor, fields)
        except ClientProtocolError as refused:
            if self._head.line is not None:
                refused.method = self._head.line[0]
            raise


def _read_line(target_bytes: int, line: bytes) -> tuple[str, bytes, int]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ClientProtocolError("the request line is not METHOD TARGET HTTP/1.1")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise ClientProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here", status=505)
    if len(target) > target_bytes:
        raise ClientProtocolError(f"the request target is over {target_bytes} bytes", status=414)
    return method.decode("ascii"), target, int(minor)


def _request(method: str, target: bytes, minor: int, fields: Fields) -> RequestHead:
    index = by_name(fields)
    host = _host_field(index, minor)
    options = connection_options(index)
    if method == "CONNECT":
        authority, path = _authority_form(target), b""
    else:
        authority, path = _absolute_form(target)
        _refuse_other_host(authority, host)
    framing = _framing(method, index, minor)
    offered = offered_protocols(index, options)
    is_plain_get = method == "GET" and minor == 1 and framing == NO_BODY
    return RequestHead(
        method=method,
        authority=authority.decode("ascii"),
        path=path,
        minor=minor,
        fields=fields,
        index=index,
        options=options,
        framing=framing,
        # RFC 9112 section 9.3: a proxy keeps no connection with an HTTP/1.0 client.
        keep_alive=minor == 1 and b"close" not in options,
        # RFC 6455 section 4.1. A server may ignore any other offer (RFC 9110 section 7.8).
        wants_websocket=offered == WEBSOCKET and is_plain_get,
        wants_trailers=minor == 1 and wants_trailers(index, options),
        trailers=announced(index) if isinstance(framing, Chunked) else frozenset(),
    )


def _host_field(index: Index, minor: int) -> bytes | None:
    """RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0."""
    hosts = index.get(b"host")
    if hosts is None:
        if minor == 0:
            return None
        raise ClientProtocolError("no Host field")
    if len(hosts) > 1:
        raise ClientProtocolError("more than one Host field")
    if not _HOST.fullmatch(hosts[0]):
        raise ClientProtocolError("the Host field is not host:port")
    return hosts[0]


def _authority_form(target: bytes) -> bytes:
    """RFC 9112 section 3.2.3: `host:port` and nothing around it."""
    if not _HOST.fullmatch(target):
        raise ClientProtocolError("the target of CONNECT is not host:port")
    return target


def _absolute_form(target: bytes) -> tuple[bytes, bytes]:
    """RFC 9112 section 3.2.2: authority and path of an http URL."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ClientProtocolError(_why_not_absolute(target))
    authority, path = match.groups()
    if b"#" in target or b"\\" in target:
        raise ClientProtocolError("the target holds a fragment or a backslash")
    # RFC 9110 section 4.2.4: userinfo is how a URL is made to look like another host's.
    if b"@" in authority:
        raise ClientProtocolError("the target carries userinfo")
    if not _HOST.fullmatch(authority):
        raise ClientProtocolError("the target's authority is not host:port")
    return authority, path


def _why_not_absolute(target: bytes) -> str:
    if target.startswith(b"/") or target == b"*":
        return "this is a forward proxy: the target must be a whole URL (set it as http_proxy)"
    scheme = _SCHEME.match(target)
    if scheme is None:
        return "the target is not an http URL"
    if scheme[1].lower() == b"https":
        return "https goes through CONNECT, not in absolute form"
    if scheme[1].lower() == b"http":
        return "the target names no host"
    return "only http URLs are forwarded"


def _refuse_other_host(authority: bytes, host: bytes | None) -> None:
    """A Host that differs from the target would be read by another hop (RFC 9112 3.2.2)."""
    if host is None:
        return
    if host.lower().removesuffix(_HTTP_PORT) != authority.lower().removesuffix(_HTTP_PORT):
        raise ClientProtocolError("the Host field differs from the target (host_mismatch)")


def _framing(method: str, index: Index, minor: int) -> Length | Chunked:
    framing = declared_framing(index, minor=minor) or NO_BODY
    # RFC 9110 section 9.3.6: CONNECT has no content, so whoever sends some counts on us (or on
    # the next proxy) reading tunnel bytes as a body.
    if method == "CONNECT" and framing != NO_BODY:
        raise ClientProtocolError("CONNECT with a body")
    # RFC 9110 section 9.3.8: a TRACE shows fields to whoever can make a browser send one.
    if method == "TRACE":
        raise ClientProtocolError("TRACE is not forwarded", status=405)
    return framing
