"""What the kernel says of where a client was going, as a destination."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, cast

import pytest

from netproxy.connection.fake_names import FakeNames
from netproxy.errors import InvalidDestination
from netproxy.model import Destination, Protocol
from netproxy.transport.capture import Captured

if TYPE_CHECKING:
    from netproxy.transport.sockets import Socket

HERE = {socket.AF_INET: ("127.0.0.1", 1023), socket.AF_INET6: ("::1", 1023, 0, 0)}


class Redirected:
    """An accepted socket that was going elsewhere."""

    def __init__(self, literal: str, port: int) -> None:
        self.family = socket.AF_INET6 if ":" in literal else socket.AF_INET
        packed = socket.inet_pton(self.family, literal)
        family, big_port = struct.pack("=H", self.family), struct.pack("!H", port)
        self._levels = {
            (0, 80, 16): family + big_port + packed + bytes(8),
            (41, 80, 28): family + big_port + bytes(4) + packed + b"\1\0\0\0",
        }

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        found = self._levels[level, option, length]
        assert len(found) == length
        return found

    def getsockname(self) -> tuple[object, ...]:
        return HERE[self.family]


def found(literal: str, port: int = 443, names: FakeNames | None = None) -> Destination:
    client = cast("Socket", Redirected(literal, port))
    return Captured(names or FakeNames()).find(client)


@pytest.mark.parametrize("literal", ["1.2.3.4", "10.0.0.1", "2001:db8::1", "fe80::1"])
def test_an_address_is_itself(literal: str) -> None:
    assert found(literal) == Destination(literal, 443, Protocol.TCP)


def test_an_address_that_was_given_for_a_name_is_the_name() -> None:
    names = FakeNames()
    literal = socket.inet_ntoa(names.address("pypi.org"))
    assert found(literal, 22, names) == Destination("pypi.org", 22, Protocol.TCP)


@pytest.mark.parametrize(
    ("literal", "port", "said"),
    [
        ("198.18.0.9", 443, "198.18.0.9 stands for no name in this run"),
        ("127.0.0.1", 1023, "127.0.0.1 port 1023 is where connections are captured"),
        ("::1", 1023, "::1 port 1023 is where connections are captured"),
        ("1.2.3.4", 0, "port '0' is not a number from 1 to 65535"),
    ],
    ids=["another-runs", "itself", "itself-v6", "port-0"],
)
def test_nowhere(literal: str, port: int, said: str) -> None:
    with pytest.raises(InvalidDestination) as problem:
        found(literal, port)
    assert str(problem.value) == said


def test_what_nothing_redirected_here_has_no_original() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted, pytest.raises(OSError, match=r"."):
            Captured(FakeNames()).find(accepted)
