"""An address is written one way, and a socket that can't be had is one line."""

from __future__ import annotations

import socket

import pytest

from netproxy.app.listening import (
    ListenAddress,
    ListenRefused,
    listen,
    parse_listen,
    twice,
    where,
)
from netproxy.errors import InvalidDestination


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("127.0.0.1:3128", ListenAddress(host="127.0.0.1", port=3128), True),
        ("127.8.0.1:0", ListenAddress(host="127.8.0.1", port=0), True),
        ("[::1]:1", ListenAddress(host="::1", port=1), True),
        ("[0:0::1]:1", ListenAddress(host="::1", port=1), True),
        ("ci@127.0.0.1:1", ListenAddress(host="127.0.0.1", port=1, profile="ci"), True),
        ("0.0.0.0:1", ListenAddress(host="0.0.0.0", port=1), False),
        ("[::]:1", ListenAddress(host="::", port=1), False),
        ("192.0.2.1:65535", ListenAddress(host="192.0.2.1", port=65535), False),
        ("[::ffff:7f00:1]:1", ListenAddress(host="::ffff:127.0.0.1", port=1), False),
    ],
)
def test_an_address(text: str, address: ListenAddress, is_loopback: bool) -> None:
    try:
        found = parse_listen(text)
    except InvalidDestination:
        assert "ffff" in text, "a mapped address is no address of its own"
        return
    assert (found, found.is_loopback) == (address, is_loopback)


@pytest.mark.parametrize(
    "text",
    ["", "3128", ":3128", "localhost:3128", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.1:1",
     "127.0.0.1:-1", "127.0.0.1:1 ", "[127.0.0.1]:1", "::1:1", "[::1]", "[::1]1", "@127.0.0.1:1",
     "0x7f000001:1", "2130706433:1", "[fe80::1%eth0]:1", "a@b@127.0.0.1:1"],
)  # fmt: skip
def test_what_could_be_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidDestination):
        parse_listen(text)


def test_it_is_written_as_it_is_read() -> None:
    for text in ("127.0.0.1:3128", "[::1]:3128"):
        assert str(parse_listen(text)) == text


def test_twice() -> None:
    addresses = [parse_listen(text) for text in ("127.0.0.1:1", "[::1]:1", "a@127.0.0.1:1")]
    assert twice(addresses[:2]) is None
    assert twice(addresses) == addresses[2], "a profile makes no other address of it"
    assert twice([parse_listen("127.0.0.1:0")] * 2) is None, "two free ports are two"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_socket_listens_where_it_should_and_only_there(host: str) -> None:
    address = ListenAddress(host=host, port=0)
    with listen(address) as listener:
        port = listener.getsockname()[1]
        assert where(listener) == str(ListenAddress(host=host, port=port))
        with socket.create_connection((host, port), 5):
            pass
        with pytest.raises(ListenRefused, match=f":{port}: address already in use"):
            listen(ListenAddress(host=host, port=port))
    with listen(ListenAddress(host=host, port=port)):
        pass  # what an earlier one leaves behind is no hindrance


def test_everywhere_is_of_one_family() -> None:
    with listen(ListenAddress(host="::", port=0)) as six:
        port = six.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


def test_an_address_that_is_not_here_is_one_line() -> None:
    with pytest.raises(ListenRefused, match=r"can't listen on 192\.0\.2\.1:1: cannot assign"):
        listen(ListenAddress(host="192.0.2.1", port=1))
