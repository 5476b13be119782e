"""Where an exposed port leads: to either loopback address, and to nobody else."""

from __future__ import annotations

import asyncio
import socket

import pytest

from netproxy.model import CloseReason, ConnectionId
from netproxy.transport.exposed import Exposed
from netproxy.transport.linked_driver import Flow


async def here(family: int) -> socket.socket:
    made = socket.socket(family)
    made.setblocking(False)
    return made


async def only_ipv4(family: int) -> socket.socket:
    if family == socket.AF_INET6:
        raise OSError("Address family not supported by protocol")
    return await here(family)


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_a_server_of_either_family_is_found(host: str, family: int) -> None:
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        link = Exposed(port=port, host_port=1, take_socket=here)
        with asyncio.run(link.open()) as connected:
            assert connected.getpeername()[:2] == (host, port)


@pytest.mark.parametrize("take", [here, only_ipv4])
def test_where_nobody_listens_it_is_refused(take: object) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        link = Exposed(port=port, host_port=1, take_socket=take)  # type: ignore[arg-type]  # either
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(link.open())


def test_what_is_recorded() -> None:
    link = Exposed(port=8080, host_port=18080, take_socket=here)
    client = (ConnectionId("c-1"), "127.0.0.1:5")

    events = (
        link.opened(*client),
        link.refused(*client, error_type="connection_refused"),
        link.closed(*client, Flow(1, 2, 3, CloseReason.FINISHED)),
    )

    assert {(each.connection_id, each.client_address) for each in events} == {client}
    assert {(each.port, each.host_port) for each in events} == {(8080, 18080)}
    assert events[2].close_reason == "finished"
