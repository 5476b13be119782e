"""Where associations take their clients' datagrams: one address and port each.

A sandbox's network namespace can't be entered any more once its command runs, so the helper that
makes its listeners makes one UDP socket, too, bound to all of its addresses (`SharedPorts`). Every
association gets a loopback address of its own, and IP_PKTINFO (ip(7)) says which one a datagram
came to. On a host each association has a socket of its own (`OwnPorts`).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Protocol

from netproxy.transport.readiness import READABLE, Readiness

if TYPE_CHECKING:
    from collections.abc import Callable

type Address = tuple[str, int]
# Of IPv6 with flow and scope: the same address of a link is on each link another one.
type Near = Address | tuple[str, int, int, int]
type Receiver = Callable[[memoryview, Address], None]

# linux/in.h; the socket module does not have it before Python 3.14.
IP_PKTINFO = 8
# struct in_pktinfo {int ipi_ifindex; struct in_addr ipi_spec_dst; struct in_addr ipi_addr;}
_PKTINFO = struct.Struct("=i4s4s")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_PKTINFO.size)
# The longest UDP payload is 65507 bytes.
_DATAGRAM_BYTES = 65536
# So many are taken at a time; then others have their turn.
_BATCH = 32


class Port(Protocol):
    """Where one association's client sends to, and gets its answers from."""

    @property
    def address(self) -> Address:
        """As the client has to write it."""
        ...

    def is_clients(self, source: Address) -> bool:
        """Whether what came from there may be of the program that has the association. May cost."""
        ...

    def send(self, data: bytes, client: Address) -> bool:
        """Hand one datagram over; False if it is lost, as datagrams may be."""
        ...

    def close(self) -> None:
        """Take no more."""


class Ports(Protocol):
    """Where ports come from."""

    def open(self, near: Near, client: Address, receive: Receiver) -> Port:
        """Make one for who is connected from `client` to us, at `near`. Raises `OSError`.

        What `receive` is given lives until it returns.
        """
        ...

    def close(self) -> None:
        """Give back what they are made of."""


class SharedPorts:
    """Addresses of 127.0.0.0/8, all behind one socket that has IP_PKTINFO set."""

    def __init__(self, sock: socket.socket, readiness: Readiness) -> None:
        """Own the socket from now on."""
        self._socket = sock
        self._readiness = readiness
        self._number = sock.getsockname()[1]
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES))
        self._receivers: dict[bytes, Receiver] = {}
        sock.setblocking(False)
        readiness.watch(sock.fileno(), READABLE, self._ready)

    def open(self, near: Near, client: Address, receive: Receiver) -> Port:
        """Take an address that nobody has had, as far as chance can tell: 1 of 16 million."""
        del near, client
        packed = _some_address()
        while packed in self._receivers:
            packed = _some_address()
        self._receivers[packed] = receive
        return _SharedPort(self, packed, (socket.inet_ntoa(packed), self._number))

    def send(self, data: bytes, packed: bytes, client: Address) -> bool:
        """Send from one of the addresses."""
        source = (socket.IPPROTO_IP, IP_PKTINFO, _PKTINFO.pack(0, packed, bytes(4)))
        try:
            self._socket.sendmsg([data], [source], 0, client)
        except OSError:
            return False
        return True

    def forget(self, packed: bytes) -> None:
        """Drop what still comes there."""
        del self._receivers[packed]

    def close(self) -> None:
        """No more datagrams."""
        self._readiness.drop(self._socket.fileno())
        self._socket.close()

    def _ready(self, _events: int) -> None:
        for _ in range(_BATCH):
            try:
                count, ancillary, _, source = self._socket.recvmsg_into(
                    [self._buffer], _ANCILLARY_BYTES
                )
            except OSError:  # nothing more for now, or no memory for it
                return
            receive = self._receivers.get(_came_to(ancillary))
            if receive is not None:
                receive(self._buffer[:count], source)


class _SharedPort:
    def __init__(self, ports: SharedPorts, packed: bytes, address: Address) -> None:
        self._ports = ports
        self._packed = packed
        self.address = address

    def is_clients(self, source: Address) -> bool:
        del source  # whoever is in there is of one run
        return True

    def send(self, data: bytes, client: Address) -> bool:
        return self._ports.send(data, self._packed, client)

    def close(self) -> None:
        self._ports.forget(self._packed)


def _came_to(ancillary: list[tuple[int, int, bytes]]) -> bytes:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            _, _, destination = _PKTINFO.unpack(data)
            return bytes(destination)
    return b""


def _some_address() -> bytes:
    """Not 127.0.0.1, where the listeners are, nor the block's broadcast address."""
    _, low = chosen = os.urandom(2), os.urandom(1)
    return b"\x7f" + chosen[0] + bytes((1 + low[0] % 254,))


# Whether a datagram from the first address may be of the program that is connected from the second
# to the third, which is ours.
type Guard = Callable[[Address, Address, Address], bool]


class OwnPorts:
    """A socket for each association, on the address that the client is connected to.

    Other users of the client's host can send to it as well: `guard` tells them apart.
    """

    def __init__(self, readiness: Readiness, guard: Guard) -> None:
        self._readiness = readiness
        self._guard = guard

    def open(self, near: Near, client: Address, receive: Receiver) -> Port:
        """Bind a free port there. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in near[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind((near[0], 0, *near[2:]))
        except OSError:
            sock.close()
            raise

        def is_clients(source: Address) -> bool:
            try:
                return self._guard(source, client, near[:2])
            except OSError:
                return False  # no descriptor to look with: the next datagram is looked at again

        return _OwnPort(sock, self._readiness, receive, is_clients)

    def close(self) -> None:
        """Nothing is held here."""


class _OwnPort:
    def __init__(
        self,
        sock: socket.socket,
        readiness: Readiness,
        receive: Receiver,
        is_clients: Callable[[Address], bool],
    ) -> None:
        self._socket = sock
        self._is_clients = is_clients
        self._readiness = readiness
        self._receive = receive
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES))
        self.address: Address = sock.getsockname()[:2]
        readiness.watch(sock.fileno(), READABLE, self._ready)

    def is_clients(self, source: Address) -> bool:
        return self._is_clients(source)

    def send(self, data: bytes, client: Address) -> bool:
        try:
            self._socket.sendto(data, client)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._readiness.drop(self._socket.fileno())
        self._socket.close()

    def _ready(self, _events: int) -> None:
        for _ in range(_BATCH):
            try:
                count, source = self._socket.recvfrom_into(self._buffer)
            except OSError:  # nothing more for now, or an error of what was sent to the client
                return
            self._receive(self._buffer[:count], source[:2])
            if self._socket.fileno() < 0:
                return
