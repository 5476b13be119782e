"""Where `netproxy serve` listens: an address as it is written, and the socket that comes of it."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from netproxy.errors import InvalidDestination, NetproxyError
from netproxy.policy.blocks import parse_address, text_of
from netproxy.policy.hosts import PORT_LIMIT, shown
from otel.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

# The kernel takes no more than net.core.somaxconn, 4096 since Linux 5.4.
_BACKLOG = 4096
_ADDRESS = re.compile(
    r"(?:(?P<profile>[^@]*)@)?(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})"
)


class ListenRefused(NetproxyError):
    """The kernel gives us no socket there. The text is one line for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """A literal and a port; 0 is any free one."""

    host: str
    port: int
    profile: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this host can connect to it."""
        return self.host == "::1" or self.host.startswith("127.")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Read `[PROFILE@]ADDRESS:PORT`. Raises `InvalidDestination`: a name could be anywhere."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > PORT_LIMIT:
        raise InvalidDestination(f"{shown(text)} is not ADDRESS:PORT, such as 127.0.0.1:3128")
    host = match["six"] if match["four"] is None else match["four"]
    address = parse_address(host)
    if address is None or (match["six"] is not None) != (":" in text_of(address)):
        raise InvalidDestination(f"{shown(host)} is not an IP address to listen on")
    if match["profile"] == "":
        raise InvalidDestination(f"{shown(text)}: there is no profile before the @")
    return ListenAddress(host=text_of(address), port=int(match["port"]), profile=match["profile"])


def twice(addresses: Iterable[ListenAddress]) -> ListenAddress | None:
    """Return the first that is there twice."""
    seen: set[tuple[str, int]] = set()
    for address in addresses:
        where = address.host, address.port
        if address.port and where in seen:
            return address
        seen.add(where)
    return None


def listen(address: ListenAddress) -> socket.socket:
    """Open a listening socket. Raises `ListenRefused`."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _refused(address, error) from None
    try:
        # What an earlier gateway's connections leave behind (TIME_WAIT) must not keep us out.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] is then not 0.0.0.0 as well: what is served is what was written.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(address, error) from None
    return listener


def where(listener: socket.socket) -> str:
    """Say where a socket listens."""
    host, port = listener.getsockname()[:2]
    return str(ListenAddress(host=host, port=port))


def _refused(address: ListenAddress, error: OSError) -> ListenRefused:
    return ListenRefused(f"can't listen on {address}: {(error.strerror or str(error)).lower()}")
