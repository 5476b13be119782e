"""What must hold for any bytes at all: one plain function for each reader of outside text.

A target returns, or raises something that is not declared. `run.py` leads bytes into them by
coverage (atheris), `test_targets.py` tries the seeds and what Hypothesis makes of them. Each
compares one read with the same bytes in pieces, and what we accept with another reader's view.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import h11
from python_socks import ProxyType
from python_socks._abc import AsyncResolver, AsyncSocketStream
from python_socks._connectors.factory_async import create_connector
from python_socks._protocols.errors import ReplyError

from netproxy.config import Limits
from netproxy.connection.authorization import shown_secret
from netproxy.connection.targets import http_destination
from netproxy.errors import (
    ClientProtocolError,
    InvalidDestination,
    OriginProtocolError,
    SocksProtocolError,
)
from netproxy.model import Protocol
from netproxy.policy.hosts import canonical_host, destination, is_address, parse_authority
from netproxy.protocol.body import ChunkedReader
from netproxy.protocol.buffer import NeedData
from netproxy.protocol.fields import NO_BODY
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.http1_forward import (
    ResponseReader,
    client_framing,
    refuse_unforwardable,
    request_head,
    response_head,
)
from netproxy.protocol.socks5 import Greeted, Handshake, SecretShown, SocksRequest
from netproxy.protocol.socks5_udp import Dropped, header_from, read_datagram
from netproxy.protocol.tls_hello import HelloReader
from tests.support.hellos import extension, hello, names, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Small enough that some hundred bytes reach each of them.
LIMITS = replace(Limits(), head_bytes=512, target_bytes=128, header_count=12)
VIA = "netproxy-0"
_HELLO_BYTES = 512
_PARENTS = (ProxyType.HTTP, ProxyType.SOCKS5, ProxyType.SOCKS4)
# What may be answered to a head: any other is a KeyError, and so a finding.
STATUSES = {status: status for status in (400, 405, 414, 431, 501, 505, 508)}

type Outcome = object
type Read = Callable[[list[bytes]], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`seeds` are where a run without a corpus begins."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def pieces(data: bytes) -> Iterator[list[bytes]]:
    """The same bytes cut in ways that any reader must not notice."""
    yield [data[index : index + 1] for index in range(len(data))]
    cut = sum(data) % (len(data) + 1)
    yield [data[:cut], data[cut:]]


def same_however_split(data: bytes, read: Read) -> Outcome:
    """What was read of it in one go, after seeing that pieces make no difference."""
    whole = read([data])
    for parts in pieces(data):
        assert read(parts) == whole, f"{parts} reads otherwise than in one piece: {whole}"
    return whole


def _fed(reader: RequestReader | ResponseReader, parts: list[bytes]) -> Outcome:
    """The head and what came after it, or the error, or None for "more is needed"."""
    for index, part in enumerate(parts):
        try:
            head = reader.receive(part)
        except ClientProtocolError as refused:
            return STATUSES[refused.status], str(refused)
        except OriginProtocolError as refused:
            return str(refused)
        if not isinstance(head, NeedData):
            return head, reader.unread + b"".join(parts[index + 1 :])
    return None


def requests(data: bytes) -> None:
    """A request head means the same to h11, and goes on as exactly one request to whom it names."""
    match same_however_split(data, lambda parts: _fed(RequestReader(LIMITS), parts)):
        case RequestHead() as head, bytes() as unread:
            _as_h11_reads(data, head, unread)
            shown_secret(head.fields)
            with suppress(InvalidDestination, ClientProtocolError):
                _goes_on_as_one(head)


def _as_h11_reads(data: bytes, head: RequestHead, unread: bytes) -> None:
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=len(data) + 1)
    # Leading empty lines are ours to skip (RFC 9112 section 2.2); h11 stops at the first.
    other.receive_data(data[: len(data) - len(unread)].removeprefix(b"\r\n").removeprefix(b"\r\n"))
    event = other.next_event()
    assert isinstance(event, h11.Request), event
    assert event.method == head.method.encode()
    assert event.http_version == b"1.%d" % head.minor
    seen = sorted(event.headers)
    ours = sorted((name.lower(), value) for name, value in head.fields)
    # h11 knows no coding but chunked, and writes that in lower case.
    assert [name for name, _ in seen] == [name for name, _ in ours]
    assert [value.lower() for _, value in seen] == [value.lower() for _, value in ours]


def _goes_on_as_one(head: RequestHead) -> None:
    where = http_destination(head)
    if head.is_connect:
        return
    refuse_unforwardable(head, VIA)
    written = request_head(head, where, via=VIA)
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=len(written) + 1)
    other.receive_data(written)
    event = other.next_event()
    assert isinstance(event, h11.Request), written
    fields = event.headers
    (host,) = [value.decode() for name, value in fields if name == b"host"]
    assert parse_authority(host, default_port=80) == (where.host, where.port)
    framing = {b"content-length", b"transfer-encoding"}
    assert sum(name in framing for name, _ in fields) <= 1
    assert not {b"proxy-authorization", b"upgrade"} & {name for name, _ in fields}
    assert event.target in {b"*", head.path, b"/" + head.path}
    expected = h11.EndOfMessage if head.framing == NO_BODY else h11._util.Sentinel
    assert isinstance(other.next_event(), expected), written


def responses(data: bytes) -> None:
    """A response head that goes on is exactly one head for the client."""
    outcome = same_however_split(data, lambda parts: _fed(ResponseReader(LIMITS, "GET"), parts))
    if not isinstance(outcome, tuple):
        return
    response, _ = outcome
    framing = client_framing(response, minor=1)
    written = response_head(response, framing=framing, via=VIA, date="now", keep_alive=True)
    assert written.count(b"\r\n\r\n") == 1
    assert written.endswith(b"\r\n\r\n")
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=len(written) + 1)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(written)
    event = client.next_event()
    assert isinstance(event, h11.Response | h11.InformationalResponse), event
    assert event.status_code == response.status
    assert client.trailing_data[0] == b""


def chunks(data: bytes) -> None:
    """A chunked body that ends has the content, and the end, that h11 sees."""

    def read(parts: list[bytes]) -> Outcome:
        reader, content = ChunkedReader(LIMITS), b""
        for index, part in enumerate(parts):
            try:
                content += reader.receive(part)
            except ClientProtocolError as refused:
                return str(refused)
            if reader.is_finished:
                return content, reader.unread + b"".join(parts[index + 1 :])
        return None

    outcome = same_however_split(data, read)
    if isinstance(outcome, tuple):
        assert _body_by_h11(data) == outcome


def _body_by_h11(data: bytes) -> tuple[bytes, bytes]:
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=len(data) + 1024)
    other.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    content = b""
    while True:
        event = other.next_event()
        match event:
            case h11.Data():
                content += event.data
            case h11.EndOfMessage():
                return content, other.trailing_data[0]
            case h11.Request():
                pass
            case _:
                raise AssertionError(f"h11 has no end: {event}")


def socks(data: bytes) -> None:
    """A handshake is the same in any packets, and its host a destination or nothing."""
    asks_secret, wire = data[:1] >= b"\x80", data[1:]

    def read(parts: list[bytes]) -> Outcome:
        handshake = Handshake(asks_secret=asks_secret)
        events: list[object] = []
        for index, part in enumerate(parts):
            given = part
            while True:
                try:
                    event = handshake.receive(given)
                except SocksProtocolError as refused:
                    return [*events, refused.answer, str(refused)]
                given = b""
                if isinstance(event, NeedData):
                    break
                events.append(event)
                if isinstance(event, SocksRequest):
                    return [*events, handshake.unread + b"".join(parts[index + 1 :])]
                if isinstance(event, SecretShown):
                    handshake.admit()
        return events

    outcome = same_however_split(wire, read)
    assert isinstance(outcome, list)
    for event in outcome:
        assert isinstance(event, Greeted | SecretShown | SocksRequest | bytes | str)
        if isinstance(event, SocksRequest):
            _host(event.host, event.port)


def datagrams(data: bytes) -> None:
    """A datagram is dropped, or its data is the rest of it; what we write we can read."""
    found = read_datagram(memoryview(data))
    if isinstance(found, Dropped):
        return
    assert data.endswith(bytes(found.data))
    _host(found.host, found.port)
    with suppress(ValueError):
        address = str(ip_address(found.host.decode("ascii", "replace")))
        again = read_datagram(memoryview(header_from(address, found.port) + bytes(found.data)))
        assert again == replace(found, host=address.encode())


def hellos(data: bytes) -> None:
    """A TLS hello says the same in any pieces, and every byte of it is kept as it came."""

    def read(parts: list[bytes]) -> Outcome:
        reader, fed = HelloReader(limit=_HELLO_BYTES), b""
        for part in parts:
            fed += part
            outcome = reader.receive(part)
            assert reader.held == fed
            if not isinstance(outcome, NeedData):
                return outcome
        return None

    same_however_split(data, read)


class _Answer(AsyncSocketStream):
    """What a parent says, all there at once."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    async def write(self, data: bytes) -> None:
        return

    async def read(self, max_bytes: int = 0) -> bytes:
        return await self.read_exactly(self.left.index(b"\r\n\r\n") + 4)

    async def read_exactly(self, n: int) -> bytes:
        if len(self.left) < n:
            raise ConnectionResetError
        data, self.left = self.left[:n], self.left[n:]
        return data


def parents(data: bytes) -> None:
    """A parent's answer is a yes, or an error that `transport.parents` expects."""
    kind = _PARENTS[data[0] % len(_PARENTS)] if data else ProxyType.HTTP
    login = "me" if data[:1] > b"\x80" else None
    connector = create_connector(
        proxy_type=kind, username=login, password=login, rdns=True, resolver=AsyncResolver()
    )
    stream = _Answer(data[1:])
    try:
        connector.connect(stream=stream, host="192.0.2.1", port=443).send(None)
    except StopIteration:
        assert data.endswith(stream.left), "what follows is the origin's"
    except (ReplyError, OSError, ValueError):
        return


def _host(host: bytes, port: int) -> None:
    with suppress(InvalidDestination):
        where = destination(host, port, Protocol.SOCKS5_TCP)
        _canonical(where.host)


def authorities(data: bytes) -> None:
    """A spelling leads to one canonical form, its own, and no name is a number to a resolver."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(InvalidDestination):
        _canonical(canonical_host(text))
    with suppress(InvalidDestination):
        host, port = parse_authority(text, default_port=None)
        _canonical(host)
        assert 0 < port <= 65535
        written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        assert parse_authority(written, default_port=None) == (host, port)


def _canonical(host: str) -> None:
    assert canonical_host(host) == host
    assert host.isascii()
    assert host == host.lower()
    if is_address(host):
        assert str(ip_address(host)) == host
        return
    assert not set(host) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_"), host
    with suppress(OSError):
        raise AssertionError(f"{host} is {socket.inet_aton(host)!r} to the C library")


_GET = b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
TARGETS = {
    "requests": Target(
        check=requests,
        seeds=(
            _GET + b"\r\n",
            _GET + b"Connection: close, x\r\nX: 1\r\nVia: 1.1 b\r\nUpgrade: h2c\r\n\r\nrest",
            b"\r\nPOST http://[::1]/a?b HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 3\r\n\r\nabc",
            b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"CONNECT a.test:443 HTTP/1.0\r\nProxy-Authorization: Basic eDp5\r\n\r\n\x16\x03\x01",
            b"OPTIONS http://a.test HTTP/1.1\r\nHost: a.test:80\r\nMax-Forwards: 1\r\n\r\n",
        ),
    ),
    "responses": Target(
        check=responses,
        seeds=(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nhi",
            b"HTTP/1.0 404\r\nConnection: x\r\nX: 1\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ),
    "chunks": Target(
        check=chunks,
        seeds=(b"3\r\nabc\r\n0\r\n\r\nrest", b"a;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"),
    ),
    "socks": Target(
        check=socks,
        seeds=(
            b"\x00\x05\x01\x00\x05\x01\x00\x03\x06a.test\x01\xbbrest",
            b"\x80\x05\x02\x00\x02\x01\x01x\x02pw\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50",
            b"\x00\x05\x01\x00\x05\x03\x00\x04" + bytes(15) + b"\x01\x00\x50",
            b"\x00\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
        ),
    ),
    "datagrams": Target(
        check=datagrams,
        seeds=(
            b"\x00\x00\x00\x01\x7f\x00\x00\x01\x00\x35data",
            b"\x00\x00\x00\x03\x06a.test\x00\x35",
            b"\x00\x00\x01\x04" + bytes(18),
        ),
    ),
    "hellos": Target(
        check=hellos,
        seeds=(
            records(hello(names(b"a.test"))),
            records(hello(names(b"a.test"), extension(16, b"\x00\x03\x02h2"))),
            records(hello(extension(0xFE0D, b"\x00"))),
        ),
    ),
    "parents": Target(
        check=parents,
        seeds=(
            b"\x00HTTP/1.1 200 OK\r\nA: b\r\n\r\nrest",
            b"\x00HTTP/1.1 407 No\r\n\r\n",
            b"\x01\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x00\x50rest",
            b"\x82\x05\x02\x01\x00\x05\x00\x00\x03\x01a\x00\x50",
            b"\x02\x00\x5a\x00\x50\x01\x02\x03\x04",
        ),
    ),
    "authorities": Target(
        check=authorities,
        seeds=(
            b"a.test:443", b"[::ffff:1.2.3.4]:80", b"b\xc3\xbccher.test", b"xn--bcher-kva.test:1",
            b"127.0.0.1:80", b"0x7f.1", b"xn--" + b"2" * 41 + b"drb",
            b"A_B.Test.:65535", b"\xef\xbc\x91.\xe3\x80\x82a",
        ),
    ),
}  # fmt: skip
