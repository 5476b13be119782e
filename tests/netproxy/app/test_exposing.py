"""Ports of this host that lead inside: opened before the command, for this user's programs."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from netproxy.app.exposing import count_strangers, exposed, exposed_ports
from netproxy.app.listening import ListenRefused
from netproxy.policy.forwards import Expose
from sandbox.launch import Listeners, listen_on_host

if TYPE_CHECKING:
    from netproxy.transport.exposed import Exposed


@dataclass
class FakeServer:
    links: list[tuple[socket.socket, Exposed]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def serve_link(self, listener: socket.socket, link: Exposed) -> None:
        self.links.append((listener, link))

    def hung_up_on(self, client_address: str) -> None:
        self.strangers.append(client_address)


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_nothing_is_opened_unless_asked_for() -> None:
    with exposed_ports(()) as ports:
        assert ports == ()


def test_it_listens_on_the_loopback_only_and_no_longer_than_the_run() -> None:
    port = free_port()
    with exposed_ports((Expose(port=8080, host_port=port),)) as (opened,):
        assert opened.port == 8080
        assert opened.listener.getsockname() == ("127.0.0.1", port)
    assert opened.listener.fileno() == -1


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    first = Expose(port=1, host_port=free_port())
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Expose(port=8080, host_port=other.getsockname()[1])
        with pytest.raises(ListenRefused) as refused, exposed_ports((first, taken)):
            pytest.fail("one of them can't be had")
    assert str(refused.value) == (
        f"--expose 8080:{taken.host_port}: can't listen on 127.0.0.1:{taken.host_port}: address "
        "already in use; choose another port with --expose 8080:HOSTPORT"
    )
    with socket.create_server(("127.0.0.1", first.host_port)):
        """What was opened before it is closed again."""


def test_each_leads_to_its_port_and_strangers_are_counted() -> None:
    server = FakeServer()

    async def inside(listeners: Listeners) -> None:
        with exposed(server, listeners):  # type: ignore[arg-type]  # what it uses of one
            assert listeners.supplier is not None
            listeners.supplier.close()
        with exposed(server, listeners):  # type: ignore[arg-type]  # what it uses of one
            """The helper is gone: nobody comes in any more, and that is all."""

    with exposed_ports((Expose(port=8080, host_port=free_port()),)) as ports:
        own, _theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        host = listen_on_host()
        listeners = Listeners(http=host.http, socks=host.socks, exposed=ports, supplier=own)
        with _theirs:
            asyncio.run(inside(listeners))
        count_strangers(server, listeners)  # type: ignore[arg-type]  # what it uses of one
        ports[0].listener.on_stranger(("127.0.0.1", 5))  # type: ignore[attr-defined]  # it has it
        listeners.close()
    ((listener, link),) = server.links
    assert listener is ports[0].listener
    assert link.port == 8080
    assert server.strangers == ["127.0.0.1:5"]


def test_inside_a_sandbox_there_are_no_strangers() -> None:
    host = listen_on_host()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listeners = Listeners(http=host.http, socks=host.socks, datagrams=datagrams)
    count_strangers(FakeServer(), listeners)  # type: ignore[arg-type]  # what it uses of one
    assert listeners.http.on_stranger is None  # type: ignore[attr-defined]  # it has it
    listeners.close()
