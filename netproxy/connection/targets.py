"""From what a client wrote to a canonical `Destination`, for each protocol it may have used."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import destination, parse_authority

if TYPE_CHECKING:
    from netproxy.protocol.http1 import RequestHead
    from netproxy.protocol.socks5 import SocksRequest
    from netproxy.protocol.socks5_udp import Datagram

_HTTP_PORT = 80
# A run comes back to the same few destinations; one is 200 bytes.
_REMEMBERED = 1024


def http_destination(head: RequestHead) -> Destination:
    """CONNECT must name its port (RFC 9110 section 9.3.6). Raises `InvalidDestination`."""
    if head.is_connect:
        return _named(head.authority, None, Protocol.HTTPS)
    return _named(head.authority, _HTTP_PORT, Protocol.HTTP)


@lru_cache(maxsize=_REMEMBERED)
def _named(authority: str, default_port: int | None, protocol: Protocol) -> Destination:
    host, port = parse_authority(authority, default_port=default_port)
    return Destination(host=host, port=port, protocol=protocol)


def socks_destination(request: SocksRequest) -> Destination:
    """Read names and numbers alike as text: a name field may hold an address. May raise too."""
    return destination(request.host, request.port, Protocol.SOCKS5_TCP)


def datagram_destination(datagram: Datagram) -> Destination:
    """Read one datagram's own, in the same way. Raises `InvalidDestination`."""
    return destination(datagram.host, datagram.port, Protocol.SOCKS5_UDP)
