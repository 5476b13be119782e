"""What a run's own sockets bring beside its proxies."""

from __future__ import annotations

import asyncio
import socket

from netproxy.app.service_settings import Services
from netproxy.app.services import datagram_ports, names_of, serving_services
from netproxy.policy.forwards import parse_reach
from netproxy.transport.readiness import Readiness
from netproxy.transport.udp_ports import OwnPorts, SharedPorts
from sandbox.launch import Listeners


class FakeServer:
    def __init__(self) -> None:
        self.known: list[socket.socket] = []

    def serve_known(self, listener: socket.socket, find: object) -> None:
        del find
        self.known.append(listener)


def test_services_are_served_by_their_listeners() -> None:
    server = FakeServer()
    services = Services(reached=(parse_reach("a=127.0.0.1:5432"),))
    with socket.socket() as http, socket.socket() as reached, socket.socket() as datagrams:
        listeners = Listeners(http=http, socks=http, datagrams=datagrams, reached=(reached,))
        assert names_of(services).address("a") == b"\x7f\0\0\1"
        with serving_services(server, listeners, services):  # type: ignore[arg-type]  # what it uses of one
            assert server.known == [reached]


def test_datagrams_are_taken_by_one_socket_of_the_sandboxs_or_by_some_of_the_hosts() -> None:
    async def kinds() -> list[type]:
        readiness = Readiness(asyncio.get_running_loop(), report=print)
        with socket.socket() as http, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            inside = Listeners(http=http, socks=http, datagrams=datagrams)
            outside = Listeners(http=http, socks=http)
            ports = [datagram_ports(each, readiness) for each in (inside, outside)]
            for each in ports:
                each.close()
        readiness.close()
        return [type(each) for each in ports]

    assert asyncio.run(kinds()) == [SharedPorts, OwnPorts]
