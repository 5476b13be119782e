"""A UDP socket that hears one peer only."""

from __future__ import annotations

import asyncio
import socket

import pytest

from netproxy.errors import DestinationUnreachable, Failure
from netproxy.model import Destination, Protocol
from netproxy.transport.datagrams import DatagramDialer, _refuse_itself

TO = Destination(host="a.test", port=9, protocol=Protocol.SOCKS5_UDP)


def dial(*addresses: str) -> socket.socket:
    return asyncio.run(DatagramDialer().dial(TO, addresses))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_it_is_connected_and_does_not_block(address: str) -> None:
    with dial(address) as connected:
        assert connected.getpeername()[:2] == (address, 9)
        assert connected.type == socket.SOCK_DGRAM
        with pytest.raises(BlockingIOError):
            connected.recv(1)


def test_the_first_address_that_has_a_route_is_taken() -> None:
    # A broadcast address needs an option that is not set.
    with dial("255.255.255.255", "127.0.0.1") as connected:
        assert connected.getpeername() == ("127.0.0.1", 9)


def test_without_a_route_it_says_why() -> None:
    with pytest.raises(DestinationUnreachable, match="255") as refused:
        dial("255.255.255.255")
    assert refused.value.failure in {Failure.HOST_UNREACHABLE, Failure.NETWORK_UNREACHABLE}


def test_without_an_address_there_is_nothing_to_send_to() -> None:
    with pytest.raises(DestinationUnreachable) as refused:
        dial()
    assert refused.value.failure is Failure.DNS_ERROR


def test_a_socket_that_met_itself_is_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as met:
        met.bind(("127.0.0.1", 0))
        met.connect(met.getsockname())
        with pytest.raises(ConnectionRefusedError):
            _refuse_itself(met)
