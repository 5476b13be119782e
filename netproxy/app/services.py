"""What a run's own sockets bring beside its two proxies: datagrams, and services of either side."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from netproxy.app.exposing import count_strangers, exposed
from netproxy.app.fencing import machine
from netproxy.app.reaching import reach_names, serve_reached
from netproxy.app.unix_sockets import brokered
from netproxy.connection.fake_names import FakeNames
from netproxy.transport.udp_ports import OwnPorts, SharedPorts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netproxy.app.service_settings import Services
    from netproxy.transport.readiness import Readiness
    from netproxy.transport.server import ProxyServer
    from netproxy.transport.udp_ports import Ports
    from sandbox.launch import Listeners


@contextmanager
def serving_services(
    server: ProxyServer, listeners: Listeners, services: Services
) -> Iterator[None]:
    """Lead both ways across the fence until the block ends. Inside a running loop."""
    serve_reached(server, listeners, services.reached)
    count_strangers(server, listeners)
    with (
        exposed(server, listeners),
        brokered(server, listeners.calls, listeners.places, machine()),
    ):
        yield


def names_of(services: Services) -> FakeNames:
    """Addresses for the names that the command looks up: what it reaches has one of its own."""
    return FakeNames(fixed=reach_names(services.reached))


def datagram_ports(listeners: Listeners, readiness: Readiness) -> Ports:
    """Where the command's datagrams are taken. On the host only its own user's are."""
    if listeners.datagrams is not None:
        return SharedPorts(listeners.datagrams, readiness)
    from sandbox.loopback import is_same_user

    return OwnPorts(readiness, is_same_user)
