"""Services that appear inside: where the command finds them, and where the gateway takes them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from netproxy.app.reaching import reach_names, reach_variables, serve_reached
from netproxy.policy.forwards import parse_reach
from sandbox.launch import Listeners

if TYPE_CHECKING:
    from netproxy.transport.known_driver import Find

REACHED = (parse_reach("postgres=127.0.0.1:5432"), parse_reach("my-cache=cache.test:6379"))


class FakeServer:
    def __init__(self) -> None:
        self.found: dict[socket.socket, str] = {}

    def serve_known(self, listener: socket.socket, find: Find) -> None:
        self.found[listener] = str(find(listener))


def test_the_command_is_told_where_they_are() -> None:
    assert reach_variables(REACHED) == {
        "NETPROXY_REACH_POSTGRES": "127.0.0.1:5432",
        "NETPROXY_REACH_MY_CACHE": "127.0.0.1:6379",
    }


def test_their_names_are_the_commands_own_loopback() -> None:
    assert reach_names(REACHED) == {"postgres": b"\x7f\0\0\1", "my-cache": b"\x7f\0\0\1"}


def test_each_listener_leads_to_one_destination() -> None:
    server = FakeServer()
    with socket.socket() as http, socket.socket() as first, socket.socket() as second:
        listeners = Listeners(http=http, socks=http, reached=(first, second))
        serve_reached(server, listeners, REACHED)  # type: ignore[arg-type]  # what it uses of one
    assert list(server.found.values()) == ["tcp://127.0.0.1:5432", "tcp://cache.test:6379"]
