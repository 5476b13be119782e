"""UDP to one of several checked addresses: a socket that is connected to it, and to nobody else.

The kernel hands a connected socket only what comes from exactly that address and port, so whoever
was not asked can't answer. Dials addresses, never a name.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.transport.dialer import FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netproxy.model import Destination


class DatagramDialer:
    """Fills `ports.Dialer`. Nothing is sent: the first address that has a route is taken."""

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> socket.socket:
        """Return a connected, non-blocking UDP socket. Raises `DestinationUnreachable`."""
        problem = DestinationUnreachable(Failure.DNS_ERROR, "no address to send to")
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            try:
                connected = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            except OSError as failed:
                problem = _problem(failed, address, destination.port)
                continue
            try:
                connected.connect((address, destination.port))
                _refuse_itself(connected)
            except OSError as failed:
                connected.close()
                problem = _problem(failed, address, destination.port)
                continue
            return connected
        raise problem


def _refuse_itself(connected: socket.socket) -> None:
    """Where nobody is on this host, the kernel may give us that very port. Raises `OSError`."""
    if connected.getsockname() == connected.getpeername():
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _problem(failed: OSError, address: str, port: int) -> DestinationUnreachable:
    failure = FAILURES.get(failed.errno or 0, Failure.INTERNAL)
    return DestinationUnreachable(failure, f"{address} port {port}: {failed.strerror}")
