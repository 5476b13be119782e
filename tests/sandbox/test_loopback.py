"""Only sockets of our own user get through."""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import TYPE_CHECKING

import pytest

from sandbox.linux.sock_diag import Diagnosis
from sandbox.loopback import OwnListener, is_same_user, owner_by_table
from tests.support.loops import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Owner = Callable[[tuple[str, int], tuple[str, int]], int | None]


@pytest.fixture(params=["diagnosis", "table"])
def owner(request: pytest.FixtureRequest) -> Iterator[Owner]:
    if request.param == "table":
        yield owner_by_table
    else:
        with Diagnosis() as diagnosis:
            yield diagnosis.owner


def test_who_holds_a_socket_and_who_does_not(owner: Owner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        client = socket.create_connection(address)
        accepted, end = listener.accept()
        with accepted:
            assert owner(end, address) == os.getuid()
            assert owner(end, ("127.0.0.1", 1)) is None
            client.close()
            assert owner(end, address) is None


def test_our_own_client_is_accepted() -> None:
    with OwnListener(8) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, address = listener.accept()
        with accepted:
            assert address == client.getsockname()


def test_without_a_client_it_does_not_wait() -> None:
    with OwnListener(8) as listener, pytest.raises(BlockingIOError):
        listener.accept()


def test_a_client_that_nobody_holds_is_nobodys() -> None:
    """The kernel shows it as root's: a stranger would only have to leave at once."""
    with OwnListener(8) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"GET http://allowed.test/secret HTTP/1.1\r\n\r\n")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_client_that_can_not_be_looked_at_keeps_no_descriptor() -> None:
    def fails(client: tuple[str, int], server: tuple[str, int]) -> int | None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with OwnListener(8) as listener, socket.create_connection(listener.getsockname()) as client:
        listener._owner = fails
        with pytest.raises(OSError, match="open files"):
            listener.accept()
        client.settimeout(PATIENCE_SECONDS)
        assert client.recv(1) == b""


def test_another_user_is_hung_up_on() -> None:
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    strangers: list[tuple[str, int]] = []
    with OwnListener(8, on_stranger=strangers.append) as listener:
        address = listener.getsockname()
        stranger = os.fork()  # an interpreter under a closed home could not be executed
        if stranger == 0:
            os._exit(_as_nobody(address))
        assert select.select([listener], [], [], PATIENCE_SECONDS)[0], "it is at the door"
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
        assert os.waitstatus_to_exitcode(os.waitpid(stranger, 0)[1]) == 0
    assert [host for host, _ in strangers] == ["127.0.0.1"]


def test_a_port_that_is_taken_is_refused() -> None:
    with OwnListener(8) as listener, pytest.raises(OSError, match="in use"):
        OwnListener(8, port=listener.getsockname()[1])


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def tcp(request: pytest.FixtureRequest) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Both ends of a connection of ours."""
    host = "::1" if request.param == socket.AF_INET6 else "127.0.0.1"
    with (
        socket.create_server((host, 0), family=request.param) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        yield client.getsockname()[:2], server.getsockname()[:2]


type Ends = tuple[tuple[str, int], tuple[str, int]]


@pytest.mark.parametrize("local", ["bound", "wildcard"])
def test_a_datagram_socket_of_the_clients_own_user(tcp: Ends, local: str) -> None:
    client, server = tcp
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((client[0] if local == "bound" else "", 0))
        assert is_same_user((client[0], sock.getsockname()[1]), client, server)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_client_that_connects_from_a_socket_for_both_families_counts(
    family: socket.AddressFamily, owner: Owner
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6) as client,
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        address = server.getsockname()
        client.connect(("::ffff:127.0.0.1", address[1]))
        accepted, end = server.accept()
        with accepted:
            sock.bind(("", 0))
            assert is_same_user(("127.0.0.1", sock.getsockname()[1]), end, address)
            assert owner(end, address) == os.getuid()
            client.close()
            assert owner(end, address) is None


def test_a_socket_for_both_families_counts() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock,
    ):
        sock.bind(("", 0))
        source = ("127.0.0.1", sock.getsockname()[1])
        assert is_same_user(source, client.getsockname(), server.getsockname())


def test_a_datagram_socket_that_is_gone_is_nobodys(tcp: Ends) -> None:
    client, server = tcp
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((client[0], 0))
        source = sock.getsockname()[:2]
    assert not is_same_user(source, client, server)


def test_without_the_connection_nobody_on_this_host_is_the_client(tcp: Ends) -> None:
    client, server = tcp
    assert not is_same_user(client, (client[0], 1), server)


def test_of_another_host_nothing_is_known() -> None:
    assert is_same_user(("192.0.2.1", 5), ("192.0.2.1", 4), ("192.0.2.2", 3))


@pytest.mark.parametrize("tcp", [socket.AF_INET], indirect=True)
def test_another_users_datagrams_are_told_apart(tcp: Ends) -> None:
    if os.getuid() != 0:
        pytest.skip("being another user needs root")
    client, server = tcp
    (asked, told), (read, write) = os.pipe(), os.pipe()
    stranger = os.fork()  # an interpreter under a closed home could not be executed
    if stranger == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
            theirs.bind(("127.0.0.1", 0))
            os.write(write, str(theirs.getsockname()[1]).encode())
            os.read(asked, 1)
        os._exit(0)
    try:
        assert not is_same_user(("127.0.0.1", int(os.read(read, 10))), client, server)
    finally:
        os.write(told, b"+")
        os.waitpid(stranger, 0)
        for descriptor in (asked, told, read, write):
            os.close(descriptor)


def _as_nobody(address: tuple[str, int]) -> int:
    """0 if the connection was closed without a word."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with socket.create_connection(address) as stranger:
        stranger.settimeout(PATIENCE_SECONDS)
        return len(stranger.recv(1))
