from __future__ import annotations

import pytest

from netproxy.config import Limits
from netproxy.connection.targets import (
    datagram_destination,
    http_destination,
    socks_destination,
)
from netproxy.errors import InvalidDestination
from netproxy.model import Destination, Protocol
from netproxy.protocol.http1 import RequestHead, RequestReader
from netproxy.protocol.socks5 import Command, SocksRequest
from netproxy.protocol.socks5_udp import Datagram


def head(line: str, host: str) -> RequestHead:
    read = RequestReader(Limits()).receive(f"{line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert isinstance(read, RequestHead)
    return read


@pytest.mark.parametrize(
    ("line", "host", "expected"),
    [
        ("CONNECT A.Test.:443", "a.test", ("a.test", 443, Protocol.HTTPS)),
        ("CONNECT [::1]:443", "[::1]", ("::1", 443, Protocol.HTTPS)),
        ("CONNECT [::ffff:127.0.0.1]:443", "x", ("127.0.0.1", 443, Protocol.HTTPS)),
        ("GET http://A.test/", "a.test", ("a.test", 80, Protocol.HTTP)),
        ("GET http://a.test:81/", "a.test:81", ("a.test", 81, Protocol.HTTP)),
    ],
)
def test_http(line: str, host: str, expected: tuple[str, int, Protocol]) -> None:
    name, port, protocol = expected
    assert http_destination(head(line, host)) == Destination(
        host=name, port=port, protocol=protocol
    )


@pytest.mark.parametrize(
    "authority",
    ["a.test", "a.test:", "a.test:0", "a.test:65536", "a.test:+443", "a.test:0443",
     "a.test:4294967739", "::1:443", "[::1]", "[a.test]:443", "[::1%25eth0]:443", ":443",
     "127.1:443", "0x7f.1:443", "2130706433:443", "0177.0.0.1:443", "a..test:443"],
)  # fmt: skip
def test_r64_r66_a_connect_target_has_one_spelling(authority: str) -> None:
    with pytest.raises(InvalidDestination):
        http_destination(head(f"CONNECT {authority}", "a.test"))


def test_socks() -> None:
    assert socks_destination(
        SocksRequest(command=Command.CONNECT, host=b"A.test", port=22)
    ) == Destination(host="a.test", port=22, protocol=Protocol.SOCKS5_TCP)


@pytest.mark.parametrize(
    ("host", "port"),
    [(b"", 80), (b"127.0.0.1\0.a.test", 80), (b"\xff.test", 80), (b"a.test", 0), (b"a b", 80),
     (b"2130706433", 80), (b"a" * 64 + b".test", 80), (b"a." * 127 + b"aa", 80)],
)  # fmt: skip
def test_r84_r85_r91_a_socks_name_is_as_strict(host: bytes, port: int) -> None:
    with pytest.raises(InvalidDestination):
        socks_destination(SocksRequest(command=Command.CONNECT, host=host, port=port))


def test_a_datagram() -> None:
    datagram = Datagram(host=b"A.test", port=53, data=memoryview(b""))
    expected = Destination(host="a.test", protocol=Protocol.SOCKS5_UDP, port=53)
    assert datagram_destination(datagram) == expected
