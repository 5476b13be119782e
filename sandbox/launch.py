"""What a run starts with: everything that is known before its first process, and its sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel.values import dataclass, field
from sandbox.capture import Capture
from sandbox.config import LISTEN_BACKLOG
from sandbox.linux.notify_filter import notify_order
from sandbox.model import ProxyAddresses

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from io import FileIO

    from sandbox.limits import Limit
    from sandbox.plan import Plan
    from sandbox.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSockets:
    """What programs end up at that know of no proxy: one of each for IPv4, and for IPv6 if any.

    `tcp` accepts connections to any address (SO_ORIGINAL_DST tells which), `dns_udp` and `dns_tcp`
    take every question for a name, and `rejected` is told of every packet that was refused
    (`sandbox.linux.nflog`).
    """

    tcp: tuple[socket.socket, ...]
    dns_udp: tuple[socket.socket, ...]
    dns_tcp: tuple[socket.socket, ...]
    rejected: socket.socket | None = None

    @classmethod
    def of(cls, made: Mapping[str, socket.socket]) -> CaptureSockets:
        """Find them among the sockets that `sandbox.linux.namespace` made."""

        def named(prefix: str) -> tuple[socket.socket, ...]:
            return tuple(each for name, each in made.items() if name[:-1] == prefix)

        return cls(
            tcp=named("capture-tcp"),
            dns_udp=named("capture-dns-udp"),
            dns_tcp=named("capture-dns-tcp"),
            rejected=made.get("capture-rejected"),
        )

    def all(self) -> tuple[socket.socket, ...]:
        """Each of them: whatever becomes readable there wants the gateway."""
        rejected = () if self.rejected is None else (self.rejected,)
        return (*self.tcp, *self.dns_udp, *self.dns_tcp, *rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedPort:
    """A port of this host's loopback that leads to one of the command's."""

    port: int  # of the command's
    listener: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """The run's own sockets. They are the gateway's to accept on, and to close.

    `datagrams` is for SOCKS associations (`sandbox.linux.namespace`); None where each can have a
    socket of its own, because the gateway and the command share a network. `capture`: None where
    only the proxies lead out. `reached` lead to services outside, by the port they are on inside;
    `exposed` come the other way, through sockets that are ordered of `supplier`
    (`sandbox.linux.supply`).
    """

    http: socket.socket
    socks: socket.socket
    datagrams: socket.socket | None = None
    capture: CaptureSockets | None = None
    no_capture: str | None = None  # why it was wanted and can't be had
    reached: tuple[socket.socket, ...] = ()
    exposed: tuple[ExposedPort, ...] = ()
    supplier: socket.socket | None = None
    calls: FileIO | None = None  # of the command that wait for the broker's answer
    places: Mapping[str, int] = field(default_factory=dict)  # O_PATH descriptors, not ours to close

    def proxies(self) -> tuple[socket.socket, ...]:
        """Those that a client of the gateway's comes to, captured ones aside."""
        return (self.http, self.socks, *self.reached, *(each.listener for each in self.exposed))

    def close(self) -> None:
        """Take nothing more; once is enough."""
        for each in (*self.proxies(), self.datagrams, self.supplier, self.calls):
            if each is not None:
                each.close()
        for each in self.capture.all() if self.capture else ():
            each.close()

    def addresses(self) -> ProxyAddresses:
        """Where they are, as the command sees them."""
        return ProxyAddresses(http=_address(self.http), socks=_address(self.socks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that is known before the first process starts."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str
    streams: Streams
    plan: Plan | None  # None: no sandbox, proxy variables only
    machine: str  # platform.machine(), for the kernel filter
    reached: tuple[int, ...] = ()  # ports of the command's loopback that lead out of it
    unix_by_path: bool = False  # a broker connects its unix sockets: `sandbox.linux.broker`
    is_exposed: bool = False  # sockets are made inside for as long as it runs
    capture: Capture = Capture.OFF
    limits: tuple[Limit, ...] = ()

    def words_and_environment(self) -> bytes:
        """As the monitor reads them: `sandbox.linux.monitor` says how."""
        # A variable without a name can be passed on by nobody: execve(2) of Python's refuses it.
        variables = (f"{name}={value}" for name, value in self.environment.items() if name)
        strings = (str(len(self.command)), *self.command, *variables)
        return b"".join(os.fsencode(each) + b"\0" for each in strings)

    def orders(self, *more: str, first: tuple[str, ...] = ()) -> bytes:
        """What the monitor does before the command runs (`sandbox.linux.monitor`)."""
        orders = [*first, *(limit.order() for limit in self.limits)]
        if self.unix_by_path:
            orders.append(notify_order(self.machine))
        return b"".join(os.fsencode(each) + b"\0" for each in (*orders, *more))


def listen_on_host() -> Listeners:
    """Listeners for a run without a sandbox: two free ports of this host's loopback."""
    from sandbox.loopback import OwnListener

    return Listeners(http=OwnListener(LISTEN_BACKLOG), socks=OwnListener(LISTEN_BACKLOG))


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"
