"""From what a client wrote to a canonical `Destination`, for each protocol it may have used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netproxy.model import Destination, Protocol
from netproxy.policy.hosts import destination, parse_authority

if TYPE_CHECKING:
    from netproxy.protocol.http1 import RequestHead
    from netproxy.protocol.socks5 import SocksRequest
    from netproxy.protocol.socks5_udp import Datagram

_HTTP_PORT = 80


def http_destination(head: RequestHead) -> Destination:
    """CONNECT must name its port (RFC 9110 section 9.3.6). Raises `InvalidDestination`."""
    if head.is_connect:
        host, port = parse_authority(head.authority, default_port=None)
        return Destination(host=host, port=port, protocol=Protocol.HTTPS)
    host, port = parse_authority(head.authority, default_port=_HTTP_PORT)
    return Destination(host=host, port=port, protocol=Protocol.HTTP)


def socks_destination(request: SocksRequest) -> Destination:
    """Read names and numbers alike as text: a name field may hold an address. May raise too."""
    return destination(request.host, request.port, Protocol.SOCKS5_TCP)


def datagram_destination(datagram: Datagram) -> Destination:
    """Read one datagram's own, in the same way. Raises `InvalidDestination`."""
    return destination(datagram.host, datagram.port, Protocol.SOCKS5_UDP)
